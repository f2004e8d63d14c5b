/* The recurrence of an LSTM layer on a processor; benchmark/kernel.py loads it. See recurrence_body.h. */

#include <math.h>
#include <stdint.h>
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>
#define LEVELS 1
#endif

#define HELPER static inline __attribute__((always_inline))
#define PASTE(a, b, c) a##_##b##_##c
#define PASTED(a, b, c) PASTE(a, b, c)
#define NAME(function) PASTED(function, PRECISION, LEVEL)
#define NAMED_(name, level) name##_##level
#define NAMED__(name, level) NAMED_(name, level)
#define NAMED(name) NAMED__(name, LEVEL)
#define SIZES NAME(sizes_of)

/* Every processor runs the widest vectors that it has; without -march the file still runs on any machine. */
#ifdef LEVELS
#define TARGET
#define BYTES 64
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx512bf16,avx2,fma")
#define LEVEL bfloat16
#define MIXED
#include "recurrence_levels.h"
#undef LEVEL
#undef MIXED
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx2,fma")
#define LEVEL avx512
#include "recurrence_levels.h"
#undef LEVEL
#undef BYTES
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#define LEVEL avx2
#define BYTES 32
#include "recurrence_levels.h"
#undef LEVEL
#undef BYTES
#pragma GCC pop_options
#endif

#ifndef TARGET
#define TARGET
#endif
#define LEVEL plain
#define BYTES 16
#include "recurrence_levels.h"
#undef LEVEL
#undef BYTES

/* Raised whenever equal inputs give other bits than before: who repeats a study is not promised the same ones then. */
int strata_version(void) { return 2; }

/* 2: AVX-512, 1: AVX2, 0: whatever the compiler takes for granted. */
long strata_level(void) {
#ifdef LEVELS
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        return 2;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 1;
#endif
    return 0;
}

#ifdef LEVELS
#define CALL(function, precision, level, ...)                              \
    do {                                                                   \
        if (level == 2) function##_##precision##_avx512(__VA_ARGS__);      \
        else if (level == 1) function##_##precision##_avx2(__VA_ARGS__);   \
        else function##_##precision##_plain(__VA_ARGS__);                  \
    } while (0)
#else
#define CALL(function, precision, level, ...) function##_##precision##_plain(__VA_ARGS__)
#endif

/* 1 on processors of Intel, whose widest vectors are computed at once; AMD's first ones with AVX-512 take two turns. */
int strata_intel(void) {
#ifdef LEVELS
    return __builtin_cpu_is("intel");
#else
    return 0;
#endif
}

/* 1 where this processor multiplies in bfloat16. */
int strata_mixed(void) {
#ifdef LEVELS
    return strata_level() == 2 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512bf16");
#else
    return 0;
#endif
}

#define ENTRIES(precision, real)                                                                                       \
    void strata_forward_##precision(long level, long time, long batch, long inputs, long width, const real *x,         \
                                    const real *weights, const real *bias, real *out, real *cells, real *kept,         \
                                    long keep) {                                                                       \
        (void)level;                                                                                                   \
        CALL(forward, precision, level, time, batch, inputs, width, x, weights, bias, out, cells,                      \
             (void *)kept, keep);                                                                                      \
    }                                                                                                                  \
    void strata_backward_##precision(long level, long time, long batch, long inputs, long width, const real *weights,  \
                                     const real *kept, const real *up, real *to_weights, real *to_bias, real *to_x,    \
                                     real *deltas, real *carried) {                                                    \
        (void)level;                                                                                                   \
        CALL(backward, precision, level, time, batch, inputs, width, weights, (const void *)kept, up,                  \
             to_weights, to_bias, to_x, (void *)deltas, (void *)carried);                                              \
    }

ENTRIES(single, float)
ENTRIES(double, double)

/* As single precision, but for weights in pairs (recurrence_mixed.h), and only where strata_mixed says so. */
#ifdef LEVELS
void strata_forward_mixed(long level, long time, long batch, long inputs, long width, const float *x,
                          const int32_t *weights, const float *bias, float *out, float *cells, float *kept, long keep) {
    (void)level;
    forward_single_bfloat16(time, batch, inputs, width, x, weights, bias, out, cells, (void *)kept, keep);
}

void strata_backward_mixed(long level, long time, long batch, long inputs, long width, const int32_t *weights,
                           const float *kept, const float *up, float *to_weights, float *to_bias, float *to_x,
                           float *deltas, float *room) {
    (void)level;
    backward_single_bfloat16(time, batch, inputs, width, weights, (const void *)kept, up, to_weights, to_bias, to_x,
                             (void *)deltas, (void *)room);
}
#endif
