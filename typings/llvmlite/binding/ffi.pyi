from typing import Any

LLVMModuleRef: Any

def get_library_name() -> str: ...
