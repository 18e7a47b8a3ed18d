"""Functions of floats by parts: a polynomial for each of sixteen parts, whose coefficients are looked up.

Where a function would take a long polynomial or a quotient, few terms do for a part of it, and AVX-512 looks a number
up in a register. What tells the parts apart is the exponent of a float and the first two bits of its mantissa, so they
are narrow where it is small. The tables are computed by tools/part_tables.py.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple

from rosin.backends.llvm.emit import Emitter, Val, float_text
from rosin.backends.llvm.ops import approximation as ap

PARTS = 16
"""As many as a register of AVX-512 has floats."""


def looked_up(e: Emitter, table: Sequence[float], index: Val) -> Val:
    """Of a table of floats those at the places that the low four bits of an i32 say."""
    lanes = index.lanes
    if lanes > PARTS:
        whole, half = range(lanes), lanes // 2
        low, high = (e.shuffle(index, index, whole[i : i + half]) for i in (0, half))
        return e.shuffle(looked_up(e, table, low), looked_up(e, table, high), whole)
    texts = [float_text(value, "float") for value in table]
    if e.scales and lanes > 1:
        wide = index if lanes == PARTS else e.shuffle(index, index, [min(i, lanes - 1) for i in range(PARTS)])
        values = Val(f"<{', '.join(f'float {text}' for text in texts)}>", "float", PARTS)
        name = "@llvm.x86.avx512.permvar.sf.512"
        e.declarations.add(f"declare {values.type} {name}({values.type}, {wide.type})")
        found = e.define(f"call {values.type} {name}({values.typed}, {wide.typed})", "float", PARTS)
        return found if lanes == PARTS else e.shuffle(found, found, range(lanes))
    array = f"[{PARTS} x float] [{', '.join(f'float {text}' for text in texts)}]"
    name = f"@rosin.table.{zlib.crc32(array.encode()):08x}"
    e.declarations.add(f"{name} = private unnamed_addr constant {array}, align 64")
    place = e.bit_and(index, e.const(PARTS - 1, "i32", lanes))
    kind = Val("", "ptr", lanes).type
    pointers = e.define(f"getelementptr float, ptr {name}, {place.typed}", "ptr", lanes)
    if lanes == 1:
        return e.load(pointers, "float")
    name = f"@llvm.masked.gather.v{lanes}f32.v{lanes}p0"
    e.declarations.add(f"declare <{lanes} x float> {name}({kind}, i32, <{lanes} x i1>, <{lanes} x float>)")
    every = f"<{lanes} x i1> splat (i1 true)"
    return e.define(
        f"call <{lanes} x float> {name}({pointers.typed}, i32 4, {every}, <{lanes} x float> poison)", "float", lanes
    )


class Part(NamedTuple):
    """`constant + slope * distance`, a polynomial whose last step is left to do."""

    constant: Val
    slope: Val
    distance: Val


def by_parts(e: Emitter, x: Val, place: Val, table: Sequence[Sequence[float]], low: Val | None = None) -> Part:
    """A polynomial at `x`, or at `x + low`, of floats: which one says `place`, by its exponent and the first two bits
    of its mantissa. The table has a row of the points about which they are expanded, and one for the coefficients of
    each degree; those of what is in [1, 2) begin at the thirteenth place.
    """
    part = e.lshr(e.bitcast(place, "i32"), e.const(ap.FORMATS["float"].mantissa - 2, "i32", x.lanes))
    centre, *coefficients = (looked_up(e, row, part) for row in table)
    distance = e.fsub(x, centre)
    if low is not None:
        distance = e.fadd(distance, low)
    constant, *others = coefficients
    result = others.pop()
    while others:
        result = e.fma(result, distance, others.pop())
    return Part(constant, result, distance)


# fmt: off

# exp(x**2) erfc(x), 0 <= x <= 10.5, by parts of x + 0.75: 2^-27.6.
ERFC_PARTS = (
    (
        1.4999772310256958, 1.9999756813049316, 2.500072479248047, 2.999974489212036,
        3.750133991241455, 4.750244140625, 5.749826908111572, 6.7497687339782715,
        8.249526977539062, 9.875405311584473, 0.0624971017241478, 0.18749591708183289,
        0.3749891221523285, 0.6250253319740295, 0.8750196695327759, 1.1249293088912964,
    ),
    (
        0.3215891420841217, 0.2553982734680176, 0.21080097556114197, 0.1790025383234024,
        0.145584836602211, 0.11629696935415268, 0.09670160710811615, 0.08269783109426498,
        0.06789875775575638, 0.05684226378798485, 0.9332091808319092, 0.8191846609115601,
        0.6858639121055603, 0.5568029284477234, 0.4643053710460663, 0.3957149088382721,
    ),
    (
        -0.16362640261650085, -0.10679849982261658, -0.0743437334895134, -0.05437307059764862,
        -0.036453887820243835, -0.02350117452442646, -0.016344161704182625, -0.011996697634458542,
        -0.008113902062177658, -0.005698379594832659, -1.0117334127426147, -0.8211916089057922,
        -0.613996148109436, -0.43234729766845703, -0.31582650542259216, -0.2380765676498413,
    ),
    (
        0.07615328580141068, 0.04180388152599335, 0.024936256930232048, 0.015884704887866974,
        0.008877911604940891, 0.004660661332309246, 0.00272550736553967, 0.001722898450680077,
        0.000962921476457268, 0.0005684556090272963, 0.8699790835380554, 0.6652145981788635,
        0.45562198758125305, 0.28657492995262146, 0.18795087933540344, 0.12789557874202728,
    ),
    (
        -0.03292987868189812, -0.015460537746548653, -0.008000651374459267, -0.004479498136788607,
        -0.002106719184666872, -0.000907869020011276, -0.0004486357793211937, -0.00024502043379470706,
        -0.0001134845515480265, -5.643321492243558e-05, -0.6382579207420349, -0.46431034803390503,
        -0.2954274117946625, -0.1688191294670105, -0.1009092703461647, -0.06280222535133362,
    ),
    (
        0.013377513736486435, 0.005440841894596815, 0.0024667358957231045, 0.0012234521564096212,
        0.00048806885024532676, 0.00017387968546245247, 7.29291932657361e-05, 3.450726217124611e-05,
        1.3288474292494357e-05, 5.575591330853058e-06, 0.4148804843425751, 0.2890653908252716,
        0.17242464423179626, 0.0905270054936409, 0.04984130337834358, 0.02862640842795372,
    ),
    (
        -0.0052187456749379635, -0.001852041226811707, -0.0007399952737614512, -0.00032633787486702204,
        -0.00011294487194390967, -3.325370926177129e-05, -1.1826396075775847e-05, -4.856804935116088e-06,
        -1.5821955230421736e-06, -5.511843710337416e-07, -0.24180513620376587, -0.1643739640712738,
        -0.09273277968168259, -0.04511643573641777, -0.02305442839860916, -0.012263796292245388,
    ),
    (
        0.0019071906572207808, 0.0005975784733891487, 0.0002126248145941645, 7.983374234754592e-05,
        2.5070508854696527e-05, 6.162293175293598e-06, 1.8840223674487788e-06, 6.93916774707759e-07,
        1.8260689671478758e-07, 5.4121645831628484e-08, 0.1565576046705246, 0.08899076282978058,
        0.04592013731598854, 0.020953288301825523, 0.00930935051292181, 0.0048707933165133,
    ),
)
# erfinv(x) / x in w = -log(1 - x**2), 0 <= w <= 16.6, by parts of 0.9 w + 1: 2^-25.0.
ERFINV_PARTS = (
    (
        1.3888176679611206, 1.9445157051086426, 2.500123977661133, 3.0555052757263184,
        3.88899827003479, 5.0002264976501465, 6.11116886138916, 7.222403049468994,
        8.888564109802246, 11.111066818237305, 13.333422660827637, 15.522644996643066,
        0.13889050483703613, 0.4166550636291504, 0.6944281458854675, 0.9721925854682922,
    ),
    (
        1.2242417335510254, 1.3633512258529663, 1.5014399290084839, 1.6369359493255615,
        1.8333426713943481, 2.0798611640930176, 2.308546304702759, 2.5211284160614014,
        2.8143184185028076, 3.1676857471466064, 3.488166570663452, 3.7790966033935547,
        0.9186679124832153, 0.9847294092178345, 1.0521091222763062, 1.1204861402511597,
    ),
    (
        0.25008824467658997, 0.2499706894159317, 0.24663925170898438, 0.24098584055900574,
        0.22995004057884216, 0.21369950473308563, 0.19826117157936096, 0.1846805065870285,
        0.16792871057987213, 0.1509123593568802, 0.13805747032165527, 0.1280917227268219,
        0.23508542776107788, 0.240391805768013, 0.24455970525741577, 0.24759094417095184,
    ),
    (
        0.001590683008544147, -0.001681234105490148, -0.004177791066467762, -0.005873792804777622,
        -0.007144216448068619, -0.007264713756740093, -0.006560650188475847, -0.005657313857227564,
        -0.0044451989233493805, -0.003293653018772602, -0.0025422547478228807, -0.0020400453358888626,
        0.010562824085354805, 0.008531535975635052, 0.006473798304796219, 0.004449424799531698,
    ),
    (
        -0.002166187856346369, -0.0017392319859936833, -0.0012531119864434004, -0.0007945725228637457,
        -0.00026470277225598693, 0.0001266852777916938, 0.0002594903635326773, 0.00026791865820996463,
        0.00021203455980867147, 0.0001384488568874076, 9.169053373625502e-05, 6.391818897100165e-05,
        -0.0023960075341165066, -0.0024646047968417406, -0.0024601100012660027, -0.002386394189670682,
    ),
    (
        0.00016160000814124942, 0.0001973730104509741, 0.00021814183855894953, 0.00019140979566145688,
        0.00012797348608728498, 5.337657785275951e-05, 1.1761363566620275e-05, -4.999513748771278e-06,
        -9.48055003391346e-06, -6.714980372635182e-06, -4.019266270915978e-06, -2.4691669295862084e-06,
        -9.580095502315089e-05, -2.8464351998991333e-05, 3.745935464394279e-05, 9.406301978742704e-05,
    ),
)
