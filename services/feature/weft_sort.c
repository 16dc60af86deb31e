//  weft_sort.c - insertion sort for few values, radix sort for many.
//
//  Only bits in which the values differ are sorted by. Doubles that came from
//  floats end in 29 zeros and fluxes of one source share their highest bits,
//  so three passes do what would take eight.

#include "weft_sort.h"

#define FEW 40     //  up to here insertion is faster (measured)
#define WIDEST 10  //  bits of one pass, at most

static void
sort_few (double *values, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        double v = values[i];
        uint32_t j = i;
        for (; j > 0 && values[j - 1] > v; j--)
            values[j] = values[j - 1];
        values[j] = v;
    }
}

//  A double as a number whose order as unsigned is the order of the doubles.
static inline uint64_t
get_key (const double *values, uint32_t i)
{
    uint64_t bits;
    memcpy (&bits, values + i, 8);
    return bits >> 63 ? ~bits : bits | UINT64_C (1) << 63;
}

//  Which bits are not the same in all values.
static uint64_t
find_difference (const double *values, uint32_t n)
{
    uint64_t first = get_key (values, 0), difference = 0;
    for (uint32_t i = 1; i < n; i++)
        difference |= get_key (values, i) ^ first;
    return difference;
}

//  One stable pass by `width` bits from `shift` on.
static void
scatter (
    const double *from, double *to, uint32_t n, unsigned shift, unsigned width)
{
    uint32_t starts[1u << WIDEST], sum = 0, size = 1u << width;
    uint64_t mask = size - 1;
    memset (starts, 0, size * sizeof *starts);
    for (uint32_t i = 0; i < n; i++)
        starts[get_key (from, i) >> shift & mask]++;
    for (uint32_t b = 0; b < size; b++) {
        uint32_t count = starts[b];
        starts[b] = sum;
        sum += count;
    }
    for (uint32_t i = 0; i < n; i++)
        to[starts[get_key (from, i) >> shift & mask]++] = from[i];
}

static void
sort_many (double *values, uint32_t n, double *room)
{
    uint64_t difference = find_difference (values, n);
    if (difference == 0)
        return;
    unsigned low = (unsigned)__builtin_ctzll (difference);
    unsigned bits = 64 - (unsigned)__builtin_clzll (difference) - low;
    unsigned passes = (bits + WIDEST - 1) / WIDEST;
    unsigned width = (bits + passes - 1) / passes;
    double *from = values, *to = room;
    for (unsigned pass = 0; pass < passes; pass++) {
        scatter (from, to, n, low + pass * width, width);
        double *swap = from;
        from = to;
        to = swap;
    }
    if (from != values)
        memcpy (values, from, n * sizeof *values);
}

void
weft_sort_doubles (double *values, uint32_t n, double *room)
{
    if (n <= FEW)
        sort_few (values, n);
    else
        sort_many (values, n, room);
}
