/* Both precisions for one LEVEL of vector instructions, whose vectors have BYTES bytes. */

typedef float NAMED(lanes_single) __attribute__((vector_size(BYTES)));
typedef int32_t NAMED(integers) __attribute__((vector_size(BYTES)));
typedef double NAMED(lanes_double) __attribute__((vector_size(BYTES)));

#define PRECISION single
#define REAL float
#define LANE NAMED(lanes_single)
#define INTEGERS NAMED(integers)

/* `yes` where a comparison held, `no` elsewhere. */
HELPER LANE NAME(choose)(INTEGERS held, LANE yes, LANE no) {
    return (LANE)((held & (INTEGERS)yes) | (~held & (INTEGERS)no));
}

/* e^x, to 2 units in the last place: range reduction by ln 2 in two parts and a polynomial (Cephes, Moshier 1992).
 * Comparisons are written so that a NaN stays one: a training that diverges must be seen to. */
HELPER LANE NAME(exponential)(LANE x) {
    x = NAME(choose)(x < -87.0f, (LANE){0} - 87.0f, x);
    x = NAME(choose)(x > 88.0f, (LANE){0} + 88.0f, x);
    const LANE shifted = x * 1.44269504088896341f + 12582912.0f; /* adding 1.5 2^23 rounds to an integer */
    const LANE whole = shifted - 12582912.0f;
    const INTEGERS exponent = ((INTEGERS)shifted << 23) + (127 << 23);
    const LANE r = x - whole * 0.693359375f + whole * 2.12194440e-4f;
    LANE p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    return p * (LANE)exponent;
}

HELPER LANE NAME(sigmoid)(LANE x) { return 1.0f / (1.0f + NAME(exponential)(-x)); }

/* A polynomial where e^2x - 1 would lose digits (Cephes), 1 - 2 / (e^2x + 1) elsewhere. */
HELPER LANE NAME(tanh)(LANE x) {
    const LANE z = x * x;
    LANE p = z * -5.70498872745e-3f + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    p = p * z * x + x;
    const LANE far = 1.0f - 2.0f / (NAME(exponential)(2.0f * x) + 1.0f);
    return NAME(choose)(z < 0.390625f, p, far);
}

#include "recurrence_body.h"
#undef PRECISION
#undef REAL
#undef LANE

/* Double precision is for checks, not for speed: the C library's functions, lane by lane. */
#define PRECISION double
#define REAL double
#define LANE NAMED(lanes_double)

HELPER LANE NAME(sigmoid)(LANE x) {
    for (int lane = 0; lane < BYTES / 8; lane++) x[lane] = 1.0 / (1.0 + exp(-x[lane]));
    return x;
}

HELPER LANE NAME(tanh)(LANE x) {
    for (int lane = 0; lane < BYTES / 8; lane++) x[lane] = tanh(x[lane]);
    return x;
}

#include "recurrence_body.h"
#undef PRECISION
#undef REAL
#undef LANE
