/* Both precisions for one LEVEL of vector instructions, whose vectors have BYTES bytes; with MIXED only single precision,
 * whose products are of numbers rounded to bfloat16. */

typedef float NAMED(lanes_single) __attribute__((vector_size(BYTES)));
typedef int32_t NAMED(integers_single) __attribute__((vector_size(BYTES)));

#define PRECISION single
#define REAL float
#define LANE NAMED(lanes_single)
#define INTEGERS NAMED(integers_single)

/* `yes` where a comparison held, `no` elsewhere. */
HELPER LANE NAME(choose)(INTEGERS held, LANE yes, LANE no) {
    return (LANE)((held & (INTEGERS)yes) | (~held & (INTEGERS)no));
}

/* x, but no less than `low` and no more than `high`. A NaN stays one: a training that diverges must be seen to. */
HELPER LANE NAME(within)(float low, float high, LANE x) {
#if BYTES == 64
    return (LANE)_mm512_min_ps(_mm512_set1_ps(high), _mm512_max_ps(_mm512_set1_ps(low), (__m512)x));
#elif BYTES == 32
    return (LANE)_mm256_min_ps(_mm256_set1_ps(high), _mm256_max_ps(_mm256_set1_ps(low), (__m256)x));
#else
    x = NAME(choose)(x < low, (LANE){0} + low, x);
    return NAME(choose)(x > high, (LANE){0} + high, x);
#endif
}

/* 1 / x for x from 1 on: a step of Newton's method from 14 bits is faster than a division where vectors are widest. */
HELPER LANE NAME(inverse)(LANE x) {
#if BYTES == 64
    const LANE near = (LANE)_mm512_rcp14_ps((__m512)x);
    return near * (2.0f - x * near);
#else
    return 1.0f / x;
#endif
}

/* e^x, to 2 units in the last place: range reduction by ln 2 in two parts and a polynomial (Cephes, Moshier 1992). */
HELPER LANE NAME(exponential)(LANE x) {
    x = NAME(within)(-87.0f, 87.0f, x);
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

HELPER LANE NAME(sigmoid)(LANE x) { return NAME(inverse)(1.0f + NAME(exponential)(-x)); }

/* A ratio of polynomials, to 5 units in the last place, beyond whose range the tangent is 1 (as in Eigen). */
HELPER LANE NAME(tanh)(LANE x) {
    x = NAME(within)(-7.90531110763549805f, 7.90531110763549805f, x);
    const LANE z = x * x;
    LANE above = z * -2.76076847742355e-16f + 2.00018790482477e-13f;
    above = above * z - 8.60467152213735e-11f;
    above = above * z + 5.12229709037114e-08f;
    above = above * z + 1.48572235717979e-05f;
    above = above * z + 6.37261928875436e-04f;
    above = above * z + 4.89352455891786e-03f;
    LANE below = z * 1.19825839466702e-06f + 1.18534705686654e-04f;
    below = below * z + 2.26843463243900e-03f;
    below = below * z + 4.89352518554385e-03f;
    return x * above / below;
}

#include "recurrence_body.h"
#undef PRECISION
#undef REAL
#undef LANE
#undef INTEGERS

#ifndef MIXED
/* Double precision is for checks, not for speed: the C library's functions, lane by lane. */
typedef double NAMED(lanes_double) __attribute__((vector_size(BYTES)));
typedef int64_t NAMED(integers_double) __attribute__((vector_size(BYTES)));

#define PRECISION double
#define REAL double
#define LANE NAMED(lanes_double)
#define INTEGERS NAMED(integers_double)

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
#undef INTEGERS
#endif
