//  weft_ledger_find.c - under which night a position was received that cannot be
//  decoded now.
//
//  Rare, so it asks each night that the ledger has. Bookings in one window of
//  offsets are asked for together.

#include "weft_ledger_parts.h"

enum {
    SLICE = 16384,  //  commands of one round trip: some 6 MB at most
};

//  Bookings of one window, wherever they stand: bytes low to high of one piece.
typedef struct {
    const weft_booking_t *head;
    int64_t low, high;
} window_t;

typedef struct {
    size_t n;
    window_t items[WEFT_LEDGER_BATCH_MOST];
    uint16_t of[WEFT_LEDGER_BATCH_MOST];  //  of each booking
} windows_t;

typedef struct {
    size_t n;
    int32_t *items;
    size_t gone;  //  the first ones: they have run out
} nights_t;

static int64_t
byte_of (const weft_booking_t *booking)
{
    return (booking->offset & ((1 << WEFT_PIECE_BITS) - 1)) / 8;
}

static bool
same_window (const weft_booking_t *a, const weft_booking_t *b)
{
    return a->partition == b->partition &&
           a->offset >> WEFT_WINDOW_BITS == b->offset >> WEFT_WINDOW_BITS &&
           a->topic.n == b->topic.n &&
           memcmp (a->topic.p, b->topic.p, a->topic.n) == 0;
}

static void
find_windows (const weft_booking_t *bookings, size_t n, windows_t *windows)
{
    windows->n = 0;
    for (size_t i = 0; i < n; i++) {
        //  Those of one window mostly stand together: newest first.
        size_t w = windows->n;
        int64_t at = byte_of (&bookings[i]);
        while (w > 0 && !same_window (windows->items[w - 1].head, &bookings[i]))
            w--;
        if (w == 0) {
            w = ++windows->n;
            windows->items[w - 1] = (window_t){ &bookings[i], at, at };
        }
        window_t *window = &windows->items[w - 1];
        window->low = WEFT_MIN (window->low, at);
        window->high = WEFT_MAX (window->high, at);
        windows->of[i] = (uint16_t)(w - 1);
    }
}

static void
ask_window (weft_batch_t *batch, const window_t *window, int32_t night)
{
    char piece[WEFT_LEDGER_PIECE_MOST];
    weft_ledger_piece (window->head, piece);
    weft_batch_begin (batch, 4);
    weft_batch_str (batch, "GETRANGE");
    weft_ledger_key (batch, night, WEFT_RECEIVED, piece);
    weft_batch_int (batch, window->low);
    weft_batch_int (batch, window->high);
}

static bool
is_received (weft_bin_t bytes,
             const weft_booking_t *booking,
             const window_t *window)
{
    int64_t at = byte_of (booking) - window->low;
    return at < (int64_t)bytes.n && bytes.p[at] & 128u >> (booking->offset & 7);
}

//  Returns new in nights->items: those of the ledger.
static int
read_nights (weft_batch_t *batch, nights_t *nights)
{
    weft_batch_clear (batch);
    weft_batch_words (batch, "SMEMBERS", "ledger:nights");
    int rc = weft_batch_run (batch);
    if (rc)
        return rc;
    const weft_reply_t *reply = weft_batch_reply (batch, 0);
    size_t count = weft_reply_count (reply);
    nights->items = calloc (count + 1, sizeof (*nights->items));
    if (!nights->items)
        return WEFT_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        int64_t night = weft_reply_int (weft_reply_at (reply, i), 0);
        if (night != WEFT_LEDGER_NO_NIGHT)
            nights->items[nights->n++] = (int32_t)night;
    }
    return 0;
}

//  All windows under the nights from `first` to `end`, in one round trip; and
//  which of these have run out, as their number does not tell: surveys count them
//  each in their way. Those that have are gathered at the front.
static int
look_slice (weft_batch_t *batch,
            weft_booking_t *bookings,
            size_t n,
            const windows_t *windows,
            nights_t *nights,
            size_t first,
            size_t end)
{
    weft_batch_clear (batch);
    for (size_t k = first; k < end; k++) {
        weft_batch_begin (batch, 2);
        weft_batch_str (batch, "EXISTS");
        weft_batch_argf (batch, "ledger:%d:pieces", nights->items[k]);
        for (size_t w = 0; w < windows->n; w++)
            ask_window (batch, &windows->items[w], nights->items[k]);
    }
    int rc = weft_batch_run (batch);
    for (size_t k = first; !rc && k < end; k++) {
        size_t at = (k - first) * (windows->n + 1);
        int32_t night = nights->items[k];
        if (!weft_reply_int (weft_batch_reply (batch, at), 1))
            nights->items[nights->gone++] = night;
        for (size_t i = 0; i < n; i++)
            if (is_received (weft_reply_bytes (weft_batch_reply (
                                 batch, at + 1 + windows->of[i])),
                             &bookings[i], &windows->items[windows->of[i]]))
                bookings[i].night = night;
    }
    return rc;
}

//  Under all nights, in slices: packets say which there are.
static int
look (weft_batch_t *batch,
      weft_booking_t *bookings,
      size_t n,
      const windows_t *windows,
      nights_t *nights)
{
    size_t slice = WEFT_MAX (SLICE / (windows->n + 1), (size_t)1);
    int rc = 0;
    for (size_t k = 0; !rc && k < nights->n; k += slice)
        rc = look_slice (batch, bookings, n, windows, nights, k,
                         WEFT_MIN (k + slice, nights->n));
    return rc;
}

//  Nights that have run out are not asked again. One may be booked in just now:
//  in one step with its pieces, but in a cluster, where each booking names its
//  night anew.
static int
forget_slice (weft_batch_t *batch, const int32_t *nights, size_t n)
{
    static const char script[] =
        "return redis.call ('EXISTS', KEYS[1]) == 0\n"
        "  and redis.call ('SREM', KEYS[2], ARGV[1])\n";
    bool spread = weft_batch_spread (batch);
    weft_batch_clear (batch);
    for (size_t k = 0; k < n; k++) {
        if (spread) {
            weft_batch_begin (batch, 3);
            weft_batch_str (batch, "SREM");
        } else {
            weft_batch_script (batch, script, 2, 1);
            weft_batch_argf (batch, "ledger:%d:pieces", nights[k]);
        }
        weft_batch_str (batch, "ledger:nights");
        weft_batch_int (batch, nights[k]);
    }
    return weft_batch_run (batch);
}

static int
forget_nights (weft_batch_t *batch, const nights_t *nights)
{
    int rc = 0;
    for (size_t k = 0; !rc && k < nights->gone; k += SLICE)
        rc = forget_slice (batch, nights->items + k,
                           WEFT_MIN (nights->gone - k, (size_t)SLICE));
    return rc;
}

int
weft_ledger_find (weft_batch_t *batch, weft_booking_t *bookings, size_t n)
{
    nights_t nights = { 0 };
    windows_t windows;
    int rc = weft_ledger_check (bookings, n, false);
    if (!rc)
        rc = read_nights (batch, &nights);
    if (!rc && nights.n) {
        find_windows (bookings, n, &windows);
        rc = look (batch, bookings, n, &windows, &nights);
        if (!rc)
            rc = forget_nights (batch, &nights);
    }
    free (nights.items);
    return rc;
}
