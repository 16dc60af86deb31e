//  ingest - packets in, alerts with their light curves out.
//
//  All the plumbing (custody, settlement, drain, metrics) is weft_stage; what
//  ingest does is in weft_ingest.h.

#include "weft_ingest.h"

int
main (int argc, char *argv[])
{
    return weft_stage_main (
        argc, argv,
        &(weft_stage_spec_t){
            .name = "ingest",
            .about = "reads packets, joins the history, books every position",
            .reads = "",
            .writes = "alert.v1",
            .options = weft_ingest_options,
            .options_size = sizeof (weft_ingest_options_t),
            .open = weft_ingest_open,
            .close = weft_ingest_close,
            .beat = weft_ingest_beat,
            .ready = weft_ingest_ready,
            .source = &weft_ingest_source,
        });
}
