/* One LSTM layer over whole sequences, forward and backward. Included by recurrence.c once per precision and processor.
 *
 * Sequences are taken LANES at a time, one in each lane of a vector, so that a vector is full whatever the width is
 * (library kernels lose half their speed where the width is no multiple of 8), and a block's state stays in the nearest
 * cache from one time step to the next. Lanes never mix but in the gradients of the weights, which are summed in one
 * fixed order: equal inputs give equal numbers, bit for bit. Gates are in torch's order: i, f, g, o.
 *
 * What a step keeps, in lanes: what the layer reads [inputs], its hidden state before the step [width], the four gates
 * after their nonlinearities [4 width], the cell state after the step [width].
 */

#define LANES ((long)(BYTES / sizeof(REAL)))
#define COLUMNS (BYTES == 64 ? 4 : 2) /* whose sums fit the registers beside those of four rows */

typedef struct {
    long inputs, width, read, step; /* read: inputs + width; step: lanes that one step keeps */
} SIZES;

HELPER SIZES NAME(sizes)(long inputs, long width) {
    return (SIZES){inputs, width, inputs + width, inputs + 6 * width};
}

#include "recurrence_lanes.h"
#ifdef MIXED
#include "recurrence_mixed.h"
#else
#include "recurrence_products.h"
#endif

/* x (time, batch, inputs) to out (time, batch, width) and cells (batch, width), from a state of zero.
 * weights (4 width, inputs + width) and bias (4 width) are those of input and state side by side. `kept` takes
 * (blocks, time + 1, step) lanes for the backward pass, or 2 steps where `keep` is 0. */
TARGET static void NAME(forward)(long time, long batch, long inputs, long width, const REAL *x, const WEIGHT *weights,
                                 const REAL *bias, REAL *out, REAL *cells, LANE *kept, long keep) {
    const SIZES size = NAME(sizes)(inputs, width);
    for (long first = 0; first < batch; first += LANES) {
        const long lanes = batch - first < LANES ? batch - first : LANES;
        LANE *now = kept, *next;
        for (long k = 0; k < width; k++) now[inputs + k] = (LANE){0};
        for (long t = 0; t < time; t++, now = next) {
            next = keep ? now + size.step : kept + (t + 1) % 2 * size.step;
            LANE *gates = now + size.read, *cell = gates + 4 * width, *hidden = next + inputs;
            const LANE *before = keep ? cell - size.step : kept + (t + 1) % 2 * size.step + size.read + 4 * width;
            NAME(pack)(lanes, inputs, x + (t * batch + first) * inputs, batch * inputs, now);
            for (long row = 0; row < 4 * width; row++) gates[row] = (LANE){0} + bias[row];
            NAME(multiply)(4 * width, size.read, weights, now, gates, next, size.step);
            for (long k = 0; k < width; k++) {
                const LANE i = NAME(sigmoid)(gates[k]), f = NAME(sigmoid)(gates[width + k]);
                const LANE g = NAME(tanh)(gates[2 * width + k]), o = NAME(sigmoid)(gates[3 * width + k]);
                const LANE c = t ? f * before[k] + i * g : i * g;
                gates[k] = i, gates[width + k] = f, gates[2 * width + k] = g, gates[3 * width + k] = o;
                cell[k] = c, hidden[k] = o * NAME(tanh)(c);
            }
            NAME(unpack)(lanes, width, hidden, out + (t * batch + first) * width);
            if (t == time - 1) NAME(unpack)(lanes, width, cell, cells + first * width);
        }
        if (keep) kept += (time + 1) * size.step;
    }
}

/* From up (time, batch, width), the gradient of `out`, to those of weights (4 width, inputs + width), bias (4 width) and
 * x (time, batch, inputs), which may be NULL. `weights` is (inputs + width, 4 width) here. `deltas` is room for
 * (time, 4 width) lanes, `room` for inputs + 3 width and then (inputs + width + 4, time). */
TARGET static void NAME(backward)(long time, long batch, long inputs, long width, const WEIGHT *weights, const LANE *kept,
                                  const REAL *up, REAL *to_weights, REAL *to_bias, REAL *to_x, LANE *deltas,
                                  LANE *room) {
    const SIZES size = NAME(sizes)(inputs, width);
    LANE *to_read = room, *to_hidden = room + inputs, *to_cell = to_hidden + width, *above = to_cell + width;
    for (long first = 0; first < batch; first += LANES, kept += (time + 1) * size.step) {
        const long lanes = batch - first < LANES ? batch - first : LANES;
        for (long k = 0; k < 2 * width; k++) to_hidden[k] = (LANE){0};
        for (long t = time - 1; t >= 0; t--) {
            const LANE *gates = kept + t * size.step + size.read, *cell = gates + 4 * width, *before = cell - size.step;
            LANE *delta = deltas + t * 4 * width;
            NAME(pack)(lanes, width, up + (t * batch + first) * width, -batch * width, above);
            for (long k = 0; k < width; k++) {
                const LANE i = gates[k], f = gates[width + k], g = gates[2 * width + k], o = gates[3 * width + k];
                const LANE squashed = NAME(tanh)(cell[k]), h = above[k] + to_hidden[k];
                const LANE c = to_cell[k] + h * o * (1 - squashed * squashed);
                delta[k] = c * g * i * (1 - i);
                delta[width + k] = t ? c * before[k] * f * (1 - f) : (LANE){0};
                delta[2 * width + k] = c * i * (1 - g * g);
                delta[3 * width + k] = h * squashed * o * (1 - o);
                to_cell[k] = c * f;
            }
            for (long k = 0; k < size.read; k++) to_read[k] = (LANE){0};
            const long skipped = to_x ? 0 : inputs; /* the lowest layer reads data, which have no gradient */
            NAME(multiply)(size.read - skipped, 4 * width, weights + skipped * NAME(row)(4 * width), delta, to_read + skipped,
                           kept + (t - 2) * size.step + inputs, size.step - inputs);
            if (to_x) NAME(unpack)(lanes, inputs, to_read, to_x + (t * batch + first) * inputs);
        }
        NAME(outer)(time, size, deltas, kept, above + width, to_weights);
        for (long row = 0; row < 4 * width; row++) {
            LANE sum = {0};
            for (long t = 0; t < time; t++) sum += deltas[t * 4 * width + row];
            to_bias[row] += NAME(across)(sum);
        }
    }
}

#undef LANES
#undef COLUMNS
#undef WEIGHT
