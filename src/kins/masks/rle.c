/* Many polygons to run lengths at once, pixel by pixel as COCO fills them; many run lengths checked and compared.

COCO's rule: coordinates are multiplied by five and rounded; the outline is walked in whole steps along its longer
direction; where it passes from x = 5c + 2 to 5c + 3, which is the middle of column c, the fill changes at the row of the
lower of the two steps. That row follows from each edge and column directly, so that nothing is walked here. The
arithmetic on doubles is in COCO's order, since rounding decides about pixels.

Whoever calls makes sure of: finite coordinates up to 1e5, sizes of at least 1 pixel and at most 2^28 in all. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(_WIN32)
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC __attribute__((visibility("default")))
#endif

typedef struct {
    char *text;
    int64_t used, room;
} Text;

/* The rows and columns that one polygon can reach, one bit for each place where the fill may change. */
typedef struct {
    uint64_t *bits;
    int64_t words, room;
    int64_t left, right, top, rows;
} Changes;

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
    return value < low ? low : value > high ? high : value;
}

static int64_t floor_fifth(int64_t value) { return value >= 0 ? value / 5 : -((4 - value) / 5); }

static int64_t scaled(double value) { return (int64_t)(5 * value + .5); }

/* The first row, from 0 to height, whose middle lies below a height in fifths of a pixel. */
static int64_t row_below(int64_t y, int64_t height) { return clamp(floor_fifth(y + 2), 0, height); }

static void set_change(Changes *changes, int64_t column, int64_t row) {
    int64_t at = (column - changes->left) * changes->rows + row - changes->top;
    changes->bits[at >> 6] ^= (uint64_t)1 << (at & 63);
}

static int past(int64_t middle, int64_t x0, double slope, int64_t step) {
    return ((int64_t)((double)x0 + slope * (double)step + .5) > middle) == (slope > 0);
}

static void cross_columns(Changes *changes, int64_t x0, int64_t y0, int64_t x1, int64_t y1, int64_t height) {
    int64_t wide = llabs(x1 - x0), high = llabs(y1 - y0);
    if (wide >= high ? x0 > x1 : y0 > y1) {
        int64_t x = x0, y = y0;
        x0 = x1, y0 = y1, x1 = x, y1 = y;
    }
    int64_t low = x0 < x1 ? x0 : x1, top = x0 < x1 ? x1 : x0;
    int64_t first = clamp(floor_fifth(low + 2), changes->left, changes->right + 1);
    int64_t last = clamp(floor_fifth(top - 3), changes->left - 1, changes->right);
    if (wide >= high) {
        double slope = (double)(y1 - y0) / (double)wide;
        for (int64_t c = first; c <= last; c++) {
            int64_t step = 5 * c + 2 - x0 + (slope < 0);
            set_change(changes, c, row_below((int64_t)((double)y0 + slope * (double)step + .5), height));
        }
        return;
    }
    double slope = (double)(x1 - x0) / (double)high, steps = (double)high / (double)(x1 - x0);
    for (int64_t c = first; c <= last; c++) {
        int64_t middle = 5 * c + 2;
        double passed = ((double)middle + .5 - (double)x0) * steps;
        int64_t step = (int64_t)passed;
        double part = passed - (double)step;
        /* Where rounding might decide, the step before the first that is past the middle is looked for by the rule. */
        if (part < 1e-6 || part > 1 - 1e-6) {
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
    changes->rows = row_below(scaled(bottom), height) - changes->top + 1;
    int64_t columns = changes->right - changes->left + 1;
    changes->words = columns > 0 ? (columns * changes->rows + 63) / 64 : 0;
    if (changes->words > changes->room) {
        free(changes->bits);
        changes->room = changes->words;
        changes->bits = malloc((size_t)changes->room * sizeof *changes->bits);
        if (!changes->bits) return 0;
    }
    if (changes->words) memset(changes->bits, 0, (size_t)changes->words * sizeof *changes->bits);
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

/* Where the fill changes, as pixels counted column by column. Returns their number, or -1 without memory. */
static int64_t list_changes(const Changes *changes, int64_t height, int64_t **places, int64_t *room) {
    int64_t count = 0, column = 0, column_start = 0;
    for (int64_t word = 0; word < changes->words; word++) {
        if (!grow((void **)places, room, count + 64, sizeof **places)) return -1;
        for (uint64_t left = changes->bits[word]; left; left &= left - 1) {
            int64_t at = word * 64 + lowest_bit(left);
            while (at >= column_start + changes->rows) column++, column_start += changes->rows;
            int64_t place = (changes->left + column) * height + changes->top + at - column_start;
            /* The end of one column is the start of the next: two changes at the same place are none. */
            if (count && (*places)[count - 1] == place)
                count--;
            else
                (*places)[count++] = place;
        }
    }
    return count;
}

/* COCO's text form: 5 bits a character from the lowest, and from the fourth run on the difference to the run two before. */
static int write_runs(Text *text, const int64_t *places, int64_t count, int64_t pixels) {
    int64_t before[2] = {0, 0}, place = 0;
    int64_t runs = count + (count == 0 || places[count - 1] < pixels);
    if (!grow((void **)&text->text, &text->room, text->used + 7 * runs, 1)) return 0;
    for (int64_t i = 0; i < runs; i++) {
        int64_t next = i < count ? places[i] : pixels, run = next - place;
        int64_t rest = i > 2 ? run - before[i & 1] : run;
        before[i & 1] = run, place = next;
        for (int more = 1; more;) {
            int64_t bits = rest & 31;
            rest >>= 5;
            more = bits & 16 ? rest != -1 : rest != 0;
            text->text[text->used++] = (char)(bits + (more ? 32 : 0) + 48);
        }
    }
    return 1;
}

/* What filling needs, kept from one polygon to the next. */
typedef struct {
    Text text;
    Changes changes;
    int64_t *places, room;
} Work;

/* The places where the fill of a polygon changes into `places` of the work. Returns their number, or -1 without memory. */
static int64_t trace_polygon(Work *work, const double *points, int64_t size, int64_t height, int64_t width) {
    Changes *changes = &work->changes;
    changes->words = 0;
    if (size > 2) {
        if (!prepare(changes, points, size, height, width)) return -1;
        int64_t x = scaled(points[2 * size - 2]), y = scaled(points[2 * size - 1]);
        for (int64_t i = 0; changes->words && i < size; i++) {
            int64_t next_x = scaled(points[2 * i]), next_y = scaled(points[2 * i + 1]);
            cross_columns(changes, x, y, next_x, next_y, height);
            x = next_x, y = next_y;
        }
    }
    return list_changes(changes, height, &work->places, &work->room);
}

static int fill_polygon(Work *work, const double *points, int64_t size, int64_t height, int64_t width) {
    int64_t count = trace_polygon(work, points, size, height, width);
    return count >= 0 && write_runs(&work->text, work->places, count, height * width);
}

static char *finish(Work *work, int done) {
    free(work->changes.bits);
    free(work->places);
    if (done && grow((void **)&work->text.text, &work->text.room, 1, 1)) return work->text.text;
    free(work->text.text);
    return NULL;
}

/* Run lengths of `count` polygons of `sizes` points each, x and y in turn, which follow each other in `points`. `ends` gets
where the text of each one ends. Returns the text, to be given to release, or NULL without memory. */
PUBLIC char *fill(const double *points, const int64_t *sizes, const int64_t *heights, const int64_t *widths, int64_t count,
                  int64_t *ends) {
    Work work = {0};
    int done = 1;
    for (int64_t i = 0; i < count && done; points += 2 * sizes[i++]) {
        done = fill_polygon(&work, points, sizes[i], heights[i], widths[i]);
        ends[i] = work.text.used;
    }
    return finish(&work, done);
}

static const char *skip_space(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r')) at++;
    return at;
}

/* A number that single steps don't give exactly, by the C library; which may expect something else than a decimal point. */
static const char *read_long_number(const char *at, const char *end, double *value) {
    char text[48], *stop;
    int64_t length = 0;
    while (at + length < end && length < 47 && strchr("+-.eE0123456789", at[length])) text[length] = at[length], length++;
    text[length] = 0;
    *value = strtod(text, &stop);
    return length && length < 47 && stop == text + length ? at + length : NULL;
}

/* A JSON number, or NULL for one of very many digits, or for what is none. */
static const char *read_number(const char *start, const char *end, double *value) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const char *at = start;
    int64_t digits = 0, length = 0, negative = at < end && *at == '-', power = 0, point = 0;
    for (at += negative; at < end; at++) {
        if (*at >= '0' && *at <= '9') {
            digits = 10 * digits + (*at - '0');
            power -= point, length++;
            if (digits > (int64_t)1 << 53) return read_long_number(start, end, value);
        } else if (*at == '.' && !point) {
            point = 1;
        } else {
            break;
        }
    }
    if (!length) return NULL;
    if (power < -22 || (at < end && (*at == 'e' || *at == 'E'))) return read_long_number(start, end, value);
    *value = (double)digits / powers[-power];
    if (negative) *value = -*value;
    return at;
}

/* The numbers of one list into `points`. Returns what follows it, or NULL if it is not a list of numbers within +-largest.
`count` becomes -1 without memory. */
static const char *read_numbers(const char *at, const char *end, double largest, double **points, int64_t *room,
                                int64_t *count) {
    *count = 0;
    if (at == end || *at++ != '[') return NULL;
    at = skip_space(at, end);
    if (at < end && *at == ']') return at + 1;
    while (at < end) {
        if (*count == *room && !grow((void **)points, room, *count + 64, sizeof **points)) {
            *count = -1;
            return NULL;
        }
        double *value = *points + *count;
        at = read_number(skip_space(at, end), end, value);
        if (!at || fabs(*value) > largest) return NULL;
        ++*count;
        at = skip_space(at, end);
        if (at < end && *at == ']') return at + 1;
        if (at == end || *at++ != ',') return NULL;
    }
    return NULL;
}

/* Run lengths of the polygons in `count` JSON values [[x, y, ...], ...], which follow each other in `json` and end at
`json_ends`. `parts` gets the number of polygons of each value, or -1 for a value that is something else or has
coordinates beyond `largest`; `ends` gets where the text of each polygon ends. Returns as fill does. */
PUBLIC char *fill_json(const char *json, const int64_t *json_ends, const int64_t *heights, const int64_t *widths,
                       int64_t count, double largest, int64_t *parts, int64_t *ends) {
    Work work = {0};
    double *points = NULL;
    int64_t room = 0, size = 0, done = 1;
    for (int64_t i = 0; i < count && done; i++) {
        const char *at = json + (i ? json_ends[i - 1] : 0), *end = json + json_ends[i];
        int64_t used = work.text.used, listed = 0;
        parts[i] = -1;
        at = skip_space(at, end);
        if (at == end || *at++ != '[') continue;
        for (int more = 1; more;) {
            at = read_numbers(skip_space(at, end), end, largest, &points, &room, &size);
            done = size >= 0;
            if (!at || size % 2) break;
            done = fill_polygon(&work, points, size / 2, heights[i], widths[i]);
            if (!done) break;
            ends[listed++] = work.text.used;
            at = skip_space(at, end);
            if (at < end && *at == ']') parts[i] = listed;
            more = at < end && *at++ == ',';
        }
        if (parts[i] < 0)
            work.text.used = used;
        else
            ends += listed;
    }
    free(points);
    return finish(&work, (int)done);
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

/* For each of `count` texts, which follow each other and end at `ends`, whether it holds runs of at least 0 that add up to
so many pixels. */
PUBLIC void check(const char *text, const int64_t *ends, const int64_t *pixels, int64_t count, uint8_t *sound) {
    const char *at = text;
    for (int64_t i = 0; i < count; i++) {
        const char *end = text + ends[i];
        int64_t before[2] = {0, 0}, total = 0, n = 0;
        int fine = at < end;
        while (fine && at < end) {
            int64_t run;
            at = read_run(at, end, &run);
            if (n > 2) run += before[n & 1];
            before[n++ & 1] = run;
            total += run;
            fine = at && run >= 0 && total <= pixels[i];
        }
        sound[i] = (uint8_t)(fine && total == pixels[i]);
        at = end;
    }
}

/* Widens a box (left, top, right, bottom) by the pixels from `start` to before `end`, in columns of so many. */
static void widen(double *box, int64_t start, int64_t end, int64_t height) {
    int64_t left = start / height, top = start - left * height, right = left + 1, bottom = top + end - start;
    if (bottom > height) top = 0, bottom = height, right = (end - 1) / height + 1;
    if ((double)left < box[0]) box[0] = (double)left;
    if ((double)top < box[1]) box[1] = (double)top;
    if ((double)right > box[2]) box[2] = (double)right;
    if ((double)bottom > box[3]) box[3] = (double)bottom;
}

/* Spans of pixels of many masks: where each span starts and ends, in turn, pixels counted column by column. */
typedef struct {
    int32_t *places;
    int64_t used, room;
} Spans;

static int add_span(Spans *spans, int64_t start, int64_t end) {
    if (start == end) return 1;
    if (!grow((void **)&spans->places, &spans->room, spans->used + 2, sizeof *spans->places)) return 0;
    spans->places[spans->used++] = (int32_t)start, spans->places[spans->used++] = (int32_t)end;
    return 1;
}

/* The spans of a text of so many pixels. Returns 1, 0 if the text is damaged, or -1 without memory. */
static int read_runs(Spans *spans, const char *at, const char *end, int64_t pixels) {
    int64_t before[2] = {0, 0}, place = 0, run;
    for (int64_t n = 0; at < end; n++) {
        at = read_run(at, end, &run);
        if (n > 2) run += before[n & 1];
        before[n & 1] = run;
        if (!at || run < 0 || run > pixels - place) return 0;
        if (n & 1 && !add_span(spans, place, place + run)) return -1;
        place += run;
    }
    return place == pixels;
}

/* What follows a word, or NULL. */
static const char *skip_word(const char *at, const char *end, const char *word) {
    int64_t length = (int64_t)strlen(word);
    at = skip_space(at, end);
    return end - at >= length && !memcmp(at, word, (size_t)length) ? at + length : NULL;
}

/* The spans of {"size": [height, width], "counts": "..."}, in this sequence or the other, as JSON. Returns as read_runs does;
0 also for a value that is something else, though it may be sound. `work` lends room for the text. */
static int read_rle(Spans *spans, Work *work, const char *at, const char *end, int64_t height, int64_t width) {
    int64_t size[2] = {0, 0}, counts = 0;
    Text *text = &work->text;
    at = skip_word(at, end, "{");
    for (int part = 0; at && part < 2; part++) {
        const char *value = skip_word(at, end, "\"size\""), *number;
        if (value && (value = skip_word(value, end, ":"))) {
            for (int i = 0; value && i < 2; i++) {
                number = skip_word(value, end, i ? "," : "[");
                if (!number) return 0;
                number = skip_space(number, end), value = number;
                while (value < end && value - number < 9 && *value >= '0' && *value <= '9')
                    size[i] = 10 * size[i] + (*value++ - '0');
            }
            at = skip_word(value, end, "]");
        } else if ((value = skip_word(at, end, "\"counts\"")) && (value = skip_word(value, end, ":")) &&
                   (value = skip_word(value, end, "\""))) {
            if (!grow((void **)&text->text, &text->room, end - value, 1)) return -1;
            for (counts = 0; value < end && *value != '"'; value++) {
                if (*value == '\\' && (++value == end || *value != '\\')) return 0;
                text->text[counts++] = *value;
            }
            at = value < end ? value + 1 : NULL;
        } else {
            return 0;
        }
        if (at) at = skip_word(at, end, part ? "}" : ",");
    }
    return at && counts && size[0] == height && size[1] == width
               ? read_runs(spans, text->text, text->text + counts, height * width)
               : 0;
}

/* The spans of [[x, y, ...]], as JSON, likewise. `points` has room for `room` numbers, and grows. */
static int read_polygon(Spans *spans, Work *work, double **points, int64_t *room, const char *at, const char *end,
                        int64_t height, int64_t width, double largest) {
    int64_t size = 0;
    at = skip_word(at, end, "[");
    if (at) at = read_numbers(skip_space(at, end), end, largest, points, room, &size);
    if (size < 0) return -1;
    if (!at || size % 2 || !skip_word(at, end, "]")) return 0;
    int64_t count = trace_polygon(work, *points, size / 2, height, width);
    for (int64_t i = 0; i < count; i += 2)
        if (!add_span(spans, work->places[i], i + 1 < count ? work->places[i + 1] : height * width)) return -1;
    return count < 0 ? -1 : 1;
}

static void measure(const int32_t *places, int64_t count, int64_t height, int64_t *area, double *box) {
    double edges[4] = {INFINITY, INFINITY, 0, 0};
    *area = 0;
    for (int64_t i = 0; i < count; i += 2) {
        *area += places[i + 1] - places[i];
        widen(edges, places[i], places[i + 1], height);
    }
    box[0] = *area ? edges[0] : 0, box[1] = *area ? edges[1] : 0;
    box[2] = *area ? edges[2] - edges[0] : 0, box[3] = *area ? edges[3] - edges[1] : 0;
}

/* Spans of masks in COCO's text form or, where `json` says so, as JSON: an RLE or one polygon with coordinates within
+-largest. The texts follow each other and end at `ends`; an empty one is an empty mask. Those of mask i go from starts[i]
to before starts[i + 1] in the returned places, which are to be given to release; NULL without memory. `areas` gets the
pixels of each mask, `boxes` x, y, width, height, and `read` whether its text could be read. */
PUBLIC int32_t *unpack(const char *text, const int64_t *ends, const uint8_t *json, const int64_t *heights,
                       const int64_t *widths, int64_t count, double largest, int64_t *starts, int64_t *areas,
                       double *boxes, uint8_t *read) {
    Work work = {0};
    Spans spans = {0};
    double *points = NULL;
    int64_t room = 0;
    int done = grow((void **)&spans.places, &spans.room, 64, sizeof *spans.places);
    for (int64_t i = 0; i < count && done >= 0; i++) {
        const char *at = text + (i ? ends[i - 1] : 0), *end = text + ends[i];
        starts[i] = spans.used;
        if (at == end)
            done = 1;
        else if (!json[i])
            done = read_runs(&spans, at, end, heights[i] * widths[i]);
        else if (*skip_space(at, end) == '{')
            done = read_rle(&spans, &work, at, end, heights[i], widths[i]);
        else
            done = read_polygon(&spans, &work, &points, &room, at, end, heights[i], widths[i], largest);
        if (done < 1) spans.used = starts[i];
        read[i] = done == 1;
        if (done >= 0) measure(spans.places + starts[i], spans.used - starts[i], heights[i], areas + i, boxes + 4 * i);
    }
    starts[count] = spans.used;
    free(points);
    free(finish(&work, 1));
    if (done >= 0) return spans.places;
    free(spans.places);
    return NULL;
}

/* What two masks have in common, by the places of both: returns the pixels, and puts the places into `to` unless it is
NULL; `listed` gets their number. */
static int64_t meet(const int32_t *a, const int32_t *a_end, const int32_t *b, const int32_t *b_end, int32_t *to,
                    int64_t *listed) {
    int64_t pixels = 0, used = 0;
    while (a < a_end && b < b_end) {
        int32_t start = a[0] > b[0] ? a[0] : b[0], end = a[1] < b[1] ? a[1] : b[1];
        if (start < end) {
            pixels += end - start;
            if (to) to[used] = start, to[used + 1] = end;
            used += 2;
        }
        int first = a[1] <= b[1], second = b[1] <= a[1];
        a += 2 * first, b += 2 * second;
    }
    *listed = used;
    return pixels;
}

/* For each of `count` pairs of masks, whose places go from a_from[i] to a_to[i] in `a`, and so on: their common pixels. */
PUBLIC void common(const int32_t *a, const int64_t *a_from, const int64_t *a_to, const int32_t *b, const int64_t *b_from,
                   const int64_t *b_to, int64_t count, int64_t *pixels) {
    int64_t listed;
    for (int64_t i = 0; i < count; i++)
        pixels[i] = meet(a + a_from[i], a + a_to[i], b + b_from[i], b + b_to[i], NULL, &listed);
}

/* The same, with the places of what each pair has in common. `places` has room for those of both sides of all pairs. */
PUBLIC void intersect(const int32_t *a, const int64_t *a_from, const int64_t *a_to, const int32_t *b,
                      const int64_t *b_from, const int64_t *b_to, int64_t count, int64_t *pixels, int32_t *places,
                      int64_t *starts) {
    int64_t listed;
    starts[0] = 0;
    for (int64_t i = 0; i < count; i++) {
        pixels[i] = meet(a + a_from[i], a + a_to[i], b + b_from[i], b + b_to[i], places + starts[i], &listed);
        starts[i + 1] = starts[i] + listed;
    }
}
