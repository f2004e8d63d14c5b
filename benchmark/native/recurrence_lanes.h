/* Vectors of LANES numbers, a sequence in each lane: from rows of features and back, and sums over lanes. */

/* Both vectors lane by lane: a0 b0 a1 b1 and so on. */
HELPER void NAME(interleave)(LANE a, LANE b, LANE *both) {
#ifdef __clang__
    for (int k = 0; k < LANES; k++) ((REAL *)both)[2 * k] = a[k], ((REAL *)both)[2 * k + 1] = b[k];
#else
    INTEGERS low, high;
    for (int k = 0; k < LANES; k++) low[k] = k / 2 + k % 2 * LANES, high[k] = low[k] + LANES / 2;
    both[0] = __builtin_shuffle(a, b, low), both[1] = __builtin_shuffle(a, b, high);
#endif
}

/* LANES vectors as a square, its rows made columns: halves are interleaved until every number is in its place. */
HELPER void NAME(transpose)(LANE *square) {
    LANE other[LANES], *from = square, *to = other;
#pragma GCC unroll 4
    for (long half = 1; half < LANES; half *= 2) {
#pragma GCC unroll 8
        for (long k = 0; k < LANES / 2; k++) NAME(interleave)(from[k], from[k + LANES / 2], to + 2 * k);
        LANE *swapped = from;
        from = to, to = swapped;
    }
    if (from != square) {
#pragma GCC unroll 16
        for (long k = 0; k < LANES; k++) square[k] = from[k];
    }
}

/* Features of `lanes` sequences at one time step, from rows (sequence, feature) to lanes, and back, LANES features at a
 * time. A vector may reach over the end of its row into the next one, but not over the end of the last. */
HELPER void NAME(pack)(long lanes, long features, const REAL *rows, long next, LANE *out) {
    const long all = lanes * features;
    for (long k = 0; k < all; k += LANES) __builtin_prefetch(rows + next + k, 0, 2);
    for (long first = 0; first < features; first += LANES) {
        const long count = features - first < LANES ? features - first : LANES;
        LANE square[LANES];
        for (long lane = 0; lane < LANES; lane++) {
            const long at = lane * features + first;
            square[lane] = (LANE){0};
            if (at + LANES <= all) __builtin_memcpy(square + lane, rows + at, BYTES);
            else if (lane < lanes)
                for (long k = 0; k < count; k++) square[lane][k] = rows[at + k];
        }
        NAME(transpose)(square);
        for (long k = 0; k < count; k++) out[first + k] = square[k];
    }
}

/* The last features first: what reached into the next row is written over. */
HELPER void NAME(unpack)(long lanes, long features, const LANE *in, REAL *rows) {
    const long all = lanes * features;
    for (long first = (features - 1) / LANES * LANES; first >= 0; first -= LANES) {
        const long count = features - first < LANES ? features - first : LANES;
        LANE square[LANES];
        for (long k = 0; k < LANES; k++) square[k] = k < count ? in[first + k] : (LANE){0};
        NAME(transpose)(square);
        for (long lane = 0; lane < lanes; lane++) {
            const long at = lane * features + first;
            if (at + LANES <= all) __builtin_memcpy(rows + at, square + lane, BYTES);
            else
                for (long k = 0; k < count; k++) rows[at + k] = square[lane][k];
        }
    }
}

/* The sum of all lanes, halves added to halves. */
HELPER REAL NAME(across)(LANE lanes) {
    REAL sums[LANES];
    __builtin_memcpy(sums, &lanes, BYTES);
#pragma GCC unroll 4
    for (long half = LANES / 2; half > 0; half /= 2)
#pragma GCC unroll 8
        for (long lane = 0; lane < half; lane++) sums[lane] += sums[lane + half];
    return sums[0];
}
