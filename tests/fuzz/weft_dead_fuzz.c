//  weft_dead_fuzz.c - entries of dlq:* and replay:*, read back from Redis.
//
//  Who can write to Redis can write anything there: the entry, the frames in
//  it, and the sections in those must not crash a stage or `weft dlq`.

#include <jansson.h>

#include "weft_alert.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
read_alert (weft_bin_t frames)
{
    weft_alert_t *alert = weft_alert_parse (frames.p, frames.n);
    for (size_t i = 1; alert && i < weft_alert_frames (alert); i++) {
        weft_str_t name;
        weft_frame_t *frame = weft_alert_frame (alert, i);
        (void)weft_contract_name (weft_frame_data (frame),
                                  weft_frame_size (frame), &name);
    }
    weft_alert_unref (&alert);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    weft_dead_v1_t dead;
    if (weft_contract_decode (&weft_dead_v1, &dead, data, size) == 0) {
        json_decref (weft_contract_json (&weft_dead_v1, &dead));
        if (dead.frames.n)
            read_alert (dead.frames);
    }
    //  The frames themselves, without having to find the entry around them.
    read_alert ((weft_bin_t){ data, (uint32_t)size });
    return 0;
}
