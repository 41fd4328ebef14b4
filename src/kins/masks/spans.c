/* Spans of pixels of many masks at once: filled from polygons pixel by pixel as COCO does it, read from run lengths and
written as such, measured, and compared. A span is two places, of its first pixel and of the first one after it; pixels
are counted column by column. Spans of one mask are in rising order and don't touch, and none is empty.

COCO's rule: coordinates are multiplied by five and rounded; the outline is walked in whole steps along its longer
direction; where it passes from x = 5c + 2 to 5c + 3, which is the middle of column c, the fill changes at the row of the
lower of the two steps. That row follows from each edge and column directly, so that nothing is walked here. The
arithmetic on doubles is in COCO's order, since rounding decides about pixels.

Whoever calls makes sure of sizes of at least 1 pixel and at most 2^28 in all. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

#if defined(_WIN32)
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC __attribute__((visibility("default")))
#endif

#define MAX_COORDINATE 1e5

enum { DAMAGED, SOUND, UNUSUAL };

/* Places of spans, those of one mask after the other's. */
typedef struct {
    int32_t *places;
    int64_t used, room;
} Spans;

/* The columns and rows that one polygon can reach, one bit for each place where the fill may change; `words` a column. */
typedef struct {
    uint64_t *bits;
    int64_t room, words;
    int64_t left, right, top;
} Changes;

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
    return value < low ? low : value > high ? high : value;
}

static int64_t floor_fifth(int64_t value) { return value >= 0 ? value / 5 : -((4 - value) / 5); }

static int64_t scaled(double value) { return (int64_t)(5 * value + .5); }

/* The first row, from 0 to height, whose middle lies below a height in fifths of a pixel. */
static int64_t row_below(int64_t y, int64_t height) {
    int64_t row = y > 0 ? (int64_t)((uint32_t)(y + 2) / 5) : 0; /* a division of 64 bits takes longer */
    return row < height ? row : height;
}

static void set_change(Changes *changes, int64_t column, int64_t row) {
    int64_t at = row - changes->top;
    changes->bits[(column - changes->left) * changes->words + (at >> 6)] ^= (uint64_t)1 << (at & 63);
}

static int past(int64_t middle, int64_t x0, double slope, int64_t step) {
    return ((int64_t)((double)x0 + slope * (double)step + .5) > middle) == (slope > 0);
}

static void cross_columns(Changes *changes, int64_t x0, int64_t y0, int64_t x1, int64_t y1, int64_t height) {
    int64_t low = x0 < x1 ? x0 : x1, top = x0 < x1 ? x1 : x0;
    int64_t first = clamp(floor_fifth(low + 2), changes->left, changes->right + 1);
    int64_t last = clamp(floor_fifth(top - 3), changes->left - 1, changes->right);
    if (first > last) return;
    int64_t wide = llabs(x1 - x0), high = llabs(y1 - y0);
    if (wide >= high ? x0 > x1 : y0 > y1) {
        int64_t x = x0, y = y0;
        x0 = x1, y0 = y1, x1 = x, y1 = y;
    }
    if (wide >= high) {
        double slope = (double)(y1 - y0) / (double)wide;
        for (int64_t c = first; c <= last; c++) {
            int64_t step = 5 * c + 2 - x0 + (slope < 0);
            set_change(changes, c, row_below((int64_t)((double)y0 + slope * (double)step + .5), height));
        }
        return;
    }
    double steps = (double)high / (double)(x1 - x0);
    for (int64_t c = first; c <= last; c++) {
        int64_t middle = 5 * c + 2;
        double passed = ((double)middle + .5 - (double)x0) * steps;
        int64_t step = (int64_t)passed;
        double part = passed - (double)step;
        /* Where rounding might decide, the step before the first that is past the middle is looked for by the rule. */
        if (part < 1e-6 || part > 1 - 1e-6) {
            double slope = (double)(x1 - x0) / (double)high;
            while (!past(middle, x0, slope, step + 1)) step++;
            while (past(middle, x0, slope, step)) step--;
        }
        set_change(changes, c, row_below(y0 + step, height));
    }
}

/* Room for all changes of a polygon, all off. Returns 0 without memory. */
static int prepare(Changes *changes, const double *points, int64_t count, int64_t height, int64_t width) {
    double left = points[0], right = points[0], top = points[1], bottom = points[1];
    for (int64_t i = 1; i < count; i++) {
        double x = points[2 * i], y = points[2 * i + 1];
        left = x < left ? x : left, right = x > right ? x : right;
        top = y < top ? y : top, bottom = y > bottom ? y : bottom;
    }
    changes->left = clamp(floor_fifth(scaled(left) + 2), 0, width);
    changes->right = clamp(floor_fifth(scaled(right) - 3), -1, width - 1);
    changes->top = row_below(scaled(top), height);
    changes->words = (row_below(scaled(bottom), height) - changes->top) / 64 + 1;
    int64_t all = (changes->right - changes->left + 1) * changes->words;
    if (all > changes->room) {
        free(changes->bits);
        changes->room = all;
        changes->bits = malloc((size_t)all * sizeof *changes->bits);
        if (!changes->bits) return 0;
    }
    if (all > 0) memset(changes->bits, 0, (size_t)all * sizeof *changes->bits);
    return 1;
}

static int grow(void **memory, int64_t *room, int64_t wanted, size_t size) {
    if (wanted <= *room) return 1;
    int64_t larger = wanted > 2 * *room ? wanted : 2 * *room;
    void *moved = realloc(*memory, (size_t)larger * size);
    if (!moved) return 0;
    *memory = moved, *room = larger;
    return 1;
}

static int lowest_bit(uint64_t word) {
#if defined(__GNUC__)
    return __builtin_ctzll(word);
#else
    int at = 0;
    while (!(word >> at & 1)) at++;
    return at;
#endif
}

/* Adds the places of the changes of one word. The end of one column is the start of the next: two at the same place are
none. */
static void list_word(uint64_t changes, int64_t place, int64_t first, Spans *spans) {
    for (; changes; changes &= changes - 1) {
        int32_t found = (int32_t)(place + lowest_bit(changes));
        if (spans->used > first && spans->places[spans->used - 1] == found)
            spans->used--;
        else
            spans->places[spans->used++] = found;
    }
}

/* Adds the places where the fill changes. Returns 0 without memory. */
static int list_changes(const Changes *changes, int64_t height, int64_t width, Spans *spans) {
    int64_t first = spans->used;
    const uint64_t *word = changes->bits;
    for (int64_t column = changes->left; column <= changes->right; column++)
        for (int64_t i = 0; i < changes->words; i++, word++) {
            if (!*word) continue;
            if (!grow((void **)&spans->places, &spans->room, spans->used + 65, sizeof *spans->places)) return 0;
            list_word(*word, column * height + changes->top + 64 * i, first, spans);
        }
    int32_t end = (int32_t)(height * width);
    if ((spans->used - first) & 1) {
        if (spans->places[spans->used - 1] == end)
            spans->used--;
        else
            spans->places[spans->used++] = end;
    }
    return 1;
}

/* Whether all coordinates can be worked with; the fill would overflow on others. */
static int sound(const double *points, int64_t size) {
    int found = size % 2 == 0;
    for (int64_t i = 0; i < size; i++) found &= fabs(points[i]) <= MAX_COORDINATE;
    return found;
}

/* Adds the spans of a polygon of so many points. Returns 0 without memory. */
static int fill_polygon(Changes *changes, const double *points, int64_t size, int64_t height, int64_t width, Spans *spans) {
    if (size < 3) return 1;
    if (!prepare(changes, points, size, height, width)) return 0;
    int64_t x = scaled(points[2 * size - 2]), y = scaled(points[2 * size - 1]);
    for (int64_t i = 0; changes->left <= changes->right && i < size; i++) {
        int64_t next_x = scaled(points[2 * i]), next_y = scaled(points[2 * i + 1]);
        cross_columns(changes, x, y, next_x, next_y, height);
        x = next_x, y = next_y;
    }
    return list_changes(changes, height, width, spans);
}

/* Spans of `count` polygons of `sizes` numbers each, x and y in turn, which follow each other in `points`. Those of polygon
i go from starts[i] to before starts[i + 1] in the returned places, which are to be given to release; NULL without memory.
`found` gets SOUND, or DAMAGED for an odd number of them or for coordinates that are not finite or beyond 1e5: of such a
polygon there are no spans. */
PUBLIC int32_t *fill(const double *points, const int64_t *sizes, const int64_t *heights, const int64_t *widths,
                     int64_t count, int64_t *starts, uint8_t *found) {
    Changes changes = {0};
    Spans spans = {0};
    int done = grow((void **)&spans.places, &spans.room, 64, sizeof *spans.places);
    for (int64_t i = 0; i < count && done; points += sizes[i++]) {
        starts[i] = spans.used;
        found[i] = sound(points, sizes[i]) ? SOUND : DAMAGED;
        if (found[i] == SOUND) done = fill_polygon(&changes, points, sizes[i] / 2, heights[i], widths[i], &spans);
    }
    starts[count] = spans.used;
    free(changes.bits);
    if (done) return spans.places;
    free(spans.places);
    return NULL;
}

/* Polygons of `count` JSON values, which follow each other and end at `ends`: `parts` gets how many each value has, or -1
for a value of which there are none, because it is something else or holds an unusual number. `numbers` and `sizes`, of
each polygon, have room for one every two characters. Returns the polygons of all. */
PUBLIC int64_t polygons(const char *text, const int64_t *ends, int64_t count, double *numbers, int64_t *sizes,
                        int64_t *parts) {
    int64_t all = 0;
    for (int64_t i = 0, begin = 0; i < count; begin = ends[i++]) {
        double *at = numbers;
        parts[i] = read_polygons(text + begin, text + ends[i], &at, sizes + all);
        if (parts[i] >= 0) numbers = at, all += parts[i];
    }
    return all;
}

PUBLIC void release(void *memory) { free(memory); }

/* The next run of a text, before it is added to the one two before, into `run`. Returns what follows it, or NULL if the
text is damaged there. */
static const char *read_run(const char *at, const char *end, int64_t *run) {
    *run = 0;
    for (int shift = 0; at < end && shift < 35;) {
        int64_t bits = (unsigned char)*at++ - 48;
        if (bits < 0 || bits > 63) return NULL;
        *run |= (bits & 31) << shift;
        shift += 5;
        if (bits & 32) continue;
        if (bits & 16) *run -= (int64_t)1 << shift;
        return at;
    }
    return NULL;
}

/* Adds the spans of a text of so many pixels, at least one; there is room for a place a character. Returns SOUND,
UNUSUAL if there are runs of no pixels after the first run, or DAMAGED. */
static int read_runs(Spans *spans, const char *at, const char *end, int64_t pixels) {
    int64_t before[2] = {0, 0}, place = 0, run, first = spans->used;
    int found = SOUND;
    for (int64_t n = 0; at < end; n++) {
        uint8_t bits = (uint8_t)(*at - 48);
        if (bits < 32) /* most runs are one character */
            run = (int64_t)(bits ^ 16) - 16, at++;
        else
            at = read_run(at, end, &run);
        if (n > 2) run += before[n & 1];
        before[n & 1] = run;
        if (!at || run < 0 || run > pixels - place) return DAMAGED;
        if (n && !run) found = UNUSUAL;
        if (n & 1 && run) {
            if (spans->used > first && spans->places[spans->used - 1] == place)
                spans->used--;
            else
                spans->places[spans->used++] = (int32_t)place;
            spans->places[spans->used++] = (int32_t)(place + run);
        }
        place += run;
    }
    return place == pixels ? found : DAMAGED;
}

/* Spans of `count` texts in COCO's form, which follow each other and end at `ends`, of masks of so many pixels; an empty
text is an empty mask. Those of text i go from starts[i] to before starts[i + 1] in `places`, which has room for a place
a character. `found` gets what read_runs returns; of a damaged text there are no spans. */
PUBLIC void unpack(const char *text, const int64_t *ends, const int64_t *pixels, int64_t count, int32_t *places,
                   int64_t *starts, uint8_t *found) {
    Spans spans = {places, 0, 0};
    for (int64_t i = 0, begin = 0; i < count; begin = ends[i++]) {
        starts[i] = spans.used;
        found[i] = begin < ends[i] ? (uint8_t)read_runs(&spans, text + begin, text + ends[i], pixels[i]) : SOUND;
        if (found[i] == DAMAGED) spans.used = starts[i];
    }
    starts[count] = spans.used;
}

/* COCO's text form: 5 bits a character from the lowest, and from the fourth run on the difference to the run two before. */
static char *write_run(char *text, int64_t rest) {
    for (; rest < -16 || rest > 15; rest >>= 5) *text++ = (char)((rest & 31) + 32 + 48);
    *text++ = (char)((rest & 31) + 48);
    return text;
}

/* Texts of `count` masks of so many pixels, whose places go from from[i] to before to[i]; they follow each other in
`text`, which has room for seven characters a place and seven more a mask, and end at `ends`. */
PUBLIC void pack(const int32_t *places, const int64_t *from, const int64_t *to, const int64_t *pixels, int64_t count,
                 char *text, int64_t *ends) {
    char *at = text;
    for (int64_t i = 0; i < count; i++) {
        int64_t before[2] = {0, 0}, place = 0, n = to[i] - from[i];
        int64_t runs = n + (n == 0 || places[to[i] - 1] < pixels[i]);
        for (int64_t k = 0; k < runs; k++) {
            int64_t next = k < n ? places[from[i] + k] : pixels[i], run = next - place;
            at = write_run(at, k > 2 ? run - before[k & 1] : run);
            before[k & 1] = run, place = next;
        }
        ends[i] = at - text;
    }
}

/* For `count` masks, whose places go from from[i] to before to[i], in images of so many rows: `areas` gets the pixels of
each, `boxes` x, y, width, height, all 0 without pixels. */
PUBLIC void measure(const int32_t *places, const int64_t *from, const int64_t *to, const int64_t *heights, int64_t count,
                    int64_t *areas, double *boxes) {
    for (int64_t i = 0; i < count; i++, boxes += 4) {
        int64_t height = heights[i], area = 0, top = height, bottom = 0, last = 0;
        int64_t left = to[i] > from[i] ? places[from[i]] / height : 0, column_end = (left + 1) * height;
        for (int64_t k = from[i]; k < to[i]; k += 2) {
            int64_t start = places[k], end = places[k + 1];
            area += end - start;
            /* The next span is mostly in the next column: stepping there is cheaper than dividing. */
            if (start >= column_end) column_end += height;
            if (start >= column_end) column_end = (start / height + 1) * height;
            int64_t row = start - (column_end - height), below = row + end - start;
            if (below > height) row = 0, below = height;
            top = row < top ? row : top, bottom = below > bottom ? below : bottom;
            last = end;
        }
        areas[i] = area;
        boxes[0] = (double)left, boxes[1] = area ? (double)top : 0;
        boxes[2] = area ? (double)((last - 1) / height + 1 - left) : 0, boxes[3] = area ? (double)(bottom - top) : 0;
    }
}

/* One step along the spans of two masks: what the first spans that are left have in common, from `start` to `end` (none if
that is not larger). Then those that end before the other mask goes on are done with, mostly both. */
static void step(const int32_t **a, const int32_t *a_end, const int32_t **b, const int32_t *b_end, int32_t *start,
                 int32_t *end) {
    const int32_t *x = *a, *y = *b;
    int32_t next_x = x + 2 < a_end ? x[2] : INT32_MAX, next_y = y + 2 < b_end ? y[2] : INT32_MAX;
    *start = x[0] > y[0] ? x[0] : y[0], *end = x[1] < y[1] ? x[1] : y[1];
    *a += 2 * (x[1] <= next_y), *b += 2 * (y[1] <= next_x);
}

/* For each of `count` pairs of masks, whose places go from a_from[i] to before a_to[i] in `a`, and so on: their common
pixels. */
PUBLIC void common(const int32_t *a, const int64_t *a_from, const int64_t *a_to, const int32_t *b, const int64_t *b_from,
                   const int64_t *b_to, int64_t count, int64_t *pixels) {
    for (int64_t i = 0; i < count; i++) {
        const int32_t *x = a + a_from[i], *x_end = a + a_to[i], *y = b + b_from[i], *y_end = b + b_to[i];
        int32_t start, end;
        int64_t sum = 0;
        while (x < x_end && y < y_end) {
            step(&x, x_end, &y, y_end, &start, &end);
            sum += end > start ? end - start : 0;
        }
        pixels[i] = sum;
    }
}

/* The same pairs: the places of what each has in common go from starts[i] to before starts[i + 1]. `places` has room for
those of both sides of all pairs, and two more. */
PUBLIC void intersect(const int32_t *a, const int64_t *a_from, const int64_t *a_to, const int32_t *b,
                      const int64_t *b_from, const int64_t *b_to, int64_t count, int32_t *places, int64_t *starts) {
    int32_t *at = places;
    for (int64_t i = 0; i < count; i++) {
        const int32_t *x = a + a_from[i], *x_end = a + a_to[i], *y = b + b_from[i], *y_end = b + b_to[i];
        starts[i] = at - places;
        while (x < x_end && y < y_end) {
            step(&x, x_end, &y, y_end, at, at + 1);
            at += at[0] < at[1] ? 2 : 0;
        }
    }
    starts[count] = at - places;
}

/* Where one goes along a text of run lengths. */
typedef struct {
    const char *at, *end;
    int64_t before[2], n, place, pixels;
} Walk;

/* Goes to the end of the next run; to the last pixel where none is left or the text is damaged. */
static void next_run(Walk *walk) {
    int64_t run = 0, room = walk->pixels - walk->place;
    if (walk->at && walk->at < walk->end) walk->at = read_run(walk->at, walk->end, &run);
    if (walk->n > 2) run += walk->before[walk->n & 1];
    walk->before[walk->n++ & 1] = run;
    walk->place += walk->at && walk->at < walk->end && run >= 0 && run < room ? run : room;
}

/* The text of what two masks of so many pixels make, into `text`, which has room for seven characters a character of
both, and seven more. Bit 0 of `keep` says whether pixels of neither are in it, bit 1 of the first alone, bit 2 of the
second alone, and bit 3 of both. Returns the characters. */
PUBLIC int64_t combine(const char *a, int64_t a_size, const char *b, int64_t b_size, int64_t pixels, int64_t keep,
                       char *text) {
    Walk walks[2] = {{a, a + a_size, {0, 0}, 0, 0, pixels}, {b, b + b_size, {0, 0}, 0, 0, pixels}};
    int64_t before[2] = {0, 0}, n = 0, last = 0, place = 0;
    char *at = text;
    next_run(&walks[0]), next_run(&walks[1]);
    while (place < pixels) {
        for (int i = 0; i < 2; i++)
            while (walks[i].place == place) next_run(&walks[i]);
        /* The first run is of pixels outside: after an odd number of runs one is outside. */
        int inside = keep >> ((walks[0].n & 1 ? 0 : 1) + (walks[1].n & 1 ? 0 : 2)) & 1;
        if (inside != (n & 1)) {
            int64_t run = place - last;
            at = write_run(at, n > 2 ? run - before[n & 1] : run);
            before[n++ & 1] = run, last = place;
        }
        place = walks[0].place < walks[1].place ? walks[0].place : walks[1].place;
    }
    at = write_run(at, n > 2 ? pixels - last - before[n & 1] : pixels - last);
    return at - text;
}

/* Sets the pixels of `count` places to 1. */
PUBLIC void paint(const int32_t *places, int64_t count, uint8_t *pixels) {
    for (int64_t k = 0; k < count; k += 2) memset(pixels + places[k], 1, (size_t)(places[k + 1] - places[k]));
}
