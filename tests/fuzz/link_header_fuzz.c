//  link_header_fuzz.c - any bytes as a link header, and as a peer.
//
//  The decoder must be bounded and canonical; both ends must survive a peer
//  that sends whatever it likes, within their ceilings.

#include "weft_custody.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static int
send_down (
    void *arg, uint64_t peer, const void *header, size_t size, void *item)
{
    (void)arg, (void)header, (void)size, (void)item;
    return peer % 5 == 4 ? WEFT_EDOWN : 0;
}

static void
settled (void *arg, void *tag, weft_outcome_t outcome)
{
    (void)tag, (void)outcome;
    --*(int *)arg;
}

typedef struct {
    int open;
    weft_upstream_t *upstream;
    uint64_t nonce;  //  of the worker's last HELLO
    weft_held_t *hand[64];
    unsigned hand_count;
} bench_t;

static int
send_up (void *arg, uint32_t link, const void *header, size_t size)
{
    (void)link;
    bench_t *bench = arg;
    weft_link_frame_t frame;
    if (weft_link_decode (&frame, header, size))
        abort ();
    if (frame.type == WEFT_LINK_HELLO)
        bench->nonce = frame.nonce;
    return 0;
}

static void
bury (void *arg,
      weft_grave_t *grave,
      void *tag,
      const char *stage,
      void *item,
      int code,
      const char *reason)
{
    (void)tag, (void)stage, (void)item, (void)code, (void)reason;
    bench_t *bench = arg;
    weft_upstream_buried (bench->upstream, 0, grave);
}

static void
nothing_item (void *arg, void *item)
{
    (void)arg, (void)item;
}

static void
nothing_link (void *arg, uint32_t link)
{
    (void)arg, (void)link;
}

static void
nothing (void *arg)
{
    (void)arg;
}

static void
dispatch (void *arg, weft_held_t *held, void *item)
{
    (void)item;
    bench_t *bench = arg;
    assert (bench->hand_count < WEFT_COUNT (bench->hand));
    bench->hand[bench->hand_count++] = held;
}

static void
isolate (void *arg, weft_held_t *held, void *item)
{
    (void)arg, (void)held, (void)item;
}

//  Cuts the input into frames: one byte of length, then so many bytes. Frames
//  of a plausible session are made by patching the session in.
static const uint8_t *
next_frame (const uint8_t **at, const uint8_t *end, size_t *size)
{
    if (*at == end)
        return NULL;
    size_t length = *(*at)++;
    *size = WEFT_MIN (length, (size_t)(end - *at));
    const uint8_t *frame = *at;
    *at += *size;
    return frame;
}

static void
feed_upstream (const uint8_t *data, size_t size)
{
    bench_t bench = { 0 };
    weft_upstream_config_t config = { .boot = 1,
                                      .branch_count = 2,
                                      .branches = { { "a", WEFT_LOSSLESS },
                                                    { "b", WEFT_SAMPLE } },
                                      .max_alerts = 16,
                                      .max_peers = 4 };
    weft_upstream_ops_t ops = { .send = send_down,
                                .settled = settled,
                                .bury = bury,
                                .unref = nothing_item };
    bench.upstream = weft_upstream_new (&config, &ops, &bench, 0);
    const uint8_t *at = data, *end = data + size, *frame;
    size_t length;
    for (int64_t now = 0; (frame = next_frame (&at, end, &length)); now++) {
        weft_item_t item = { &bench, 100 + (size_t)now % 7 * 100, 100 };
        if (weft_upstream_submit (bench.upstream, now, &item, NULL,
                                  WEFT_ALL_BRANCHES) == 0)
            bench.open++;
        uint8_t patched[256];
        memcpy (patched, frame, length);
        weft_session_info_t info;
        uint64_t peer = length ? frame[0] % 8 : 0;
        if (length >= 16 && frame[4] & 1 &&
            weft_upstream_session (bench.upstream, 0, &info)) {
            patched[4] ^= 1;
            memcpy (patched + 8, &info.id, 8);
            peer = info.peer;
        }
        weft_upstream_recv (bench.upstream, now, peer, patched, length);
        weft_upstream_tick (bench.upstream, now * 50);
        weft_upstream_flush (bench.upstream, now * 50);
        assert (weft_upstream_stats (bench.upstream)->alerts <= 16);
    }
    weft_upstream_destroy (&bench.upstream);
}

static void
feed_worker (const uint8_t *data, size_t size)
{
    bench_t bench = { 0 };
    weft_worker_config_t config = {
        .stage = "a", .boot = 1, .ceiling = 16, .max_links = 1
    };
    weft_worker_ops_t ops = { .send = send_up,
                              .reopen = nothing_link,
                              .dispatch = dispatch,
                              .isolate = isolate,
                              .canary = nothing_item,
                              .kill_child = nothing,
                              .unref = nothing_item };
    weft_worker_t *worker = weft_worker_new (&config, &ops, &bench, 0);
    if (weft_worker_open (worker, 0) < 0)
        abort ();
    const uint8_t *at = data, *end = data + size, *frame;
    size_t length;
    for (int64_t now = 0; (frame = next_frame (&at, end, &length)); now++) {
        uint8_t patched[256];
        memcpy (patched, frame, length);
        weft_link_info_t info;
        if (length >= 16 && frame[4] & 1 &&
            weft_worker_link (worker, 0, &info) && info.session) {
            patched[4] ^= 1;
            memcpy (patched + 8, &info.session, 8);
        }
        if (length >= 40 && frame[4] & 2) {
            patched[4] ^= 2;
            memcpy (patched + 32, &bench.nonce, 8);
        }
        weft_item_t item = { &bench, 100, 100 };
        weft_worker_recv (worker, now, 0, patched, length, &item);
        assert (weft_worker_stats (worker)->held <= 16);
        while (bench.hand_count > 0)
            if (weft_worker_returned (worker, now,
                                      bench.hand[--bench.hand_count], 0))
                weft_worker_settle (worker, bench.hand[bench.hand_count],
                                    WEFT_OUTCOME_SETTLED);
        weft_worker_tick (worker, now * 50);
        weft_worker_flush (worker, now * 50);
    }
    weft_worker_destroy (&worker);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    weft_link_frame_t frame;
    uint8_t out[WEFT_LINK_HEADER_MAX];
    if (weft_link_decode (&frame, data, size) == 0) {
        int length = weft_link_encode (&frame, out, sizeof out);
        if (length < 0 || (size_t)length != size ||
            memcmp (out, data, size) != 0)
            abort ();
    }
    feed_upstream (data, size);
    feed_worker (data, size);
    return 0;
}
