/* Products of numbers rounded to bfloat16, two in a lane, summed in single precision: twice as many an instruction. */

#define WEIGHT int32_t /* two neighbouring columns of a row, the left one in the lower half */

/* Weights of a row of so many columns; where they are odd, the last right one is 0. */
HELPER long NAME(row)(long columns) { return (columns + 1) / 2; }

/* Two numbers of every lane, `low` in the lower half. */
HELPER LANE NAME(pair)(LANE low, LANE high) {
    const __m512i halves = (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
    short order[32];
    for (int lane = 0; lane < 16; lane++) order[2 * lane] = lane, order[2 * lane + 1] = lane + 16;
    return (LANE)_mm512_permutexvar_epi16(_mm512_loadu_si512(order), halves);
}

HELPER LANE NAME(dot)(LANE sum, LANE a, LANE b) {
    return (LANE)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
}

/* out (rows) += weights (rows, columns) in (columns), as of numbers as they are. */
HELPER void NAME(multiply)(long rows, long columns, const WEIGHT *weights, const LANE *in, LANE *out, const LANE *soon,
                           long ahead) {
    const long count = NAME(row)(columns);
    LANE pairs[count];
    for (long k = 0; k < columns / 2; k++) pairs[k] = NAME(pair)(in[2 * k], in[2 * k + 1]);
    if (columns % 2) pairs[count - 1] = NAME(pair)(in[columns - 1], (LANE){0});
    long row = 0, share = 1 + ahead * 8 / rows;
    for (; row + 8 <= rows; row += 8) {
        for (long k = 0; k < share; k++) __builtin_prefetch(soon + k, 0, 2);
        soon += share;
        LANE sums[8];
        for (int r = 0; r < 8; r++) sums[r] = out[row + r];
        const WEIGHT *w = weights + row * count;
        for (long k = 0; k < count; k++)
            for (int r = 0; r < 8; r++) sums[r] = NAME(dot)(sums[r], pairs[k], (LANE)_mm512_set1_epi32(w[r * count + k]));
        for (int r = 0; r < 8; r++) out[row + r] = sums[r];
    }
    for (; row < rows; row++)
        for (long k = 0; k < count; k++)
            out[row] = NAME(dot)(out[row], pairs[k], (LANE)_mm512_set1_epi32(weights[row * count + k]));
}

/* Sums over time and lanes of deltas (time, rows) times what was read (time, columns), added to (rows, columns): a pair
 * holds two steps. `by_column` is room for (columns + 4, time) lanes. */
HELPER void NAME(outer)(long time, SIZES size, const LANE *deltas, const LANE *kept, LANE *by_column, REAL *gradient) {
    const long rows = 4 * size.width, columns = size.read, count = (time + 1) / 2;
    LANE *by_row = by_column + columns * count;
    for (long t = 0; t < count; t++) {
        const LANE *now = kept + 2 * t * size.step;
        for (long k = 0; k < columns; k++) /* a step more than there are is kept, and its delta is taken as 0 */
            by_column[k * count + t] = NAME(pair)(now[k], 2 * t + 1 < time ? now[size.step + k] : (LANE){0});
    }
    for (long row = 0; row < rows; row += 4) { /* rows are a multiple of 4 */
        for (long t = 0; t < count; t++) {
            const LANE *now = deltas + 2 * t * rows + row;
            for (int r = 0; r < 4; r++)
                by_row[r * count + t] = NAME(pair)(now[r], 2 * t + 1 < time ? now[rows + r] : (LANE){0});
        }
        for (long k = 0; k < columns; k += COLUMNS) {
            const LANE *column[COLUMNS];
            for (int c = 0; c < COLUMNS; c++) /* beyond the end the last column again, for nothing */
                column[c] = by_column + (k + c < columns ? k + c : columns - 1) * count;
            LANE sums[4][COLUMNS];
            for (int r = 0; r < 4; r++)
                for (int c = 0; c < COLUMNS; c++) sums[r][c] = (LANE){0};
            for (long t = 0; t < count; t++)
                for (int r = 0; r < 4; r++) {
                    const LANE x = by_row[r * count + t];
                    for (int c = 0; c < COLUMNS; c++) sums[r][c] = NAME(dot)(sums[r][c], x, column[c][t]);
                }
            for (int r = 0; r < 4; r++)
                for (int c = 0; c < COLUMNS && k + c < columns; c++)
                    gradient[(row + r) * columns + k + c] += NAME(across)(sums[r][c]);
        }
    }
}
