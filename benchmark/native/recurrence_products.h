/* Products of numbers as they are. */

#define WEIGHT REAL

/* Weights of a row of so many columns. */
HELPER long NAME(row)(long columns) { return columns; }

/* out (rows) += weights (rows, columns) in (columns). Eight rows share every load of `in`, and are as many sums as hide
 * the delay of an addition. Meanwhile `soon`, `count` vectors that are needed next, come nearer. */
HELPER void NAME(multiply)(long rows, long columns, const REAL *weights, const LANE *in, LANE *out, const LANE *soon,
                           long count) {
    long row = 0, share = 1 + count * 8 / rows;
    for (; row + 8 <= rows; row += 8) {
        for (long k = 0; k < share; k++) __builtin_prefetch(soon + k, 0, 2);
        soon += share;
        LANE sums[8];
        for (int r = 0; r < 8; r++) sums[r] = out[row + r];
        const REAL *w = weights + row * columns;
        for (long k = 0; k < columns; k++) {
            const LANE x = in[k];
            for (int r = 0; r < 8; r++) sums[r] += w[r * columns + k] * x;
        }
        for (int r = 0; r < 8; r++) out[row + r] = sums[r];
    }
    for (; row + 4 <= rows; row += 4) {
        const REAL *w0 = weights + row * columns, *w1 = w0 + columns, *w2 = w1 + columns, *w3 = w2 + columns;
        LANE a = out[row], b = out[row + 1], c = out[row + 2], d = out[row + 3];
        for (long k = 0; k < columns; k++) {
            const LANE x = in[k];
            a += w0[k] * x, b += w1[k] * x, c += w2[k] * x, d += w3[k] * x;
        }
        out[row] = a, out[row + 1] = b, out[row + 2] = c, out[row + 3] = d;
    }
    for (; row < rows; row++) {
        LANE a = out[row];
        for (long k = 0; k < columns; k++) a += weights[row * columns + k] * in[k];
        out[row] = a;
    }
}

/* Sums over time and lanes of deltas (time, rows) times what was read (time, columns), added to (rows, columns).
 * Both are first laid out so that a row or column runs through time without a gap: `by_column` is room for
 * (columns + 4, time) lanes. */
HELPER void NAME(outer)(long time, SIZES size, const LANE *deltas, const LANE *kept, LANE *by_column, REAL *gradient) {
    const long rows = 4 * size.width, columns = size.read;
    LANE *by_row = by_column + columns * time;
    for (long t = 0; t < time; t++)
        for (long k = 0; k < columns; k++) {
            __builtin_prefetch(kept + (t + 2) * size.step + k, 0, 2);
            by_column[k * time + t] = kept[t * size.step + k];
        }
    for (long row = 0; row < rows; row += 4) { /* rows are a multiple of 4 */
        for (long t = 0; t < time; t++)
            for (int r = 0; r < 4; r++) by_row[r * time + t] = deltas[t * rows + row + r];
        for (long k = 0; k < columns; k += COLUMNS) {
            const LANE *column[COLUMNS];
            for (int c = 0; c < COLUMNS; c++) /* beyond the end the last column again, for nothing */
                column[c] = by_column + (k + c < columns ? k + c : columns - 1) * time;
            LANE sums[4][COLUMNS];
            for (int r = 0; r < 4; r++)
                for (int c = 0; c < COLUMNS; c++) sums[r][c] = (LANE){0};
            for (long t = 0; t < time; t++)
                for (int r = 0; r < 4; r++) {
                    const LANE x = by_row[r * time + t];
                    for (int c = 0; c < COLUMNS; c++) sums[r][c] += x * column[c][t];
                }
            for (int r = 0; r < 4; r++)
                for (int c = 0; c < COLUMNS && k + c < columns; c++)
                    gradient[(row + r) * columns + k + c] += NAME(across)(sums[r][c]);
        }
    }
}
