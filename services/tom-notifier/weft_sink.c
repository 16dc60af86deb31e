//  weft_sink.c - the kinds of sinks there are.

#include "weft_sink.h"

static const weft_sink_kind_t *const kinds[] = { &weft_sink_jsonl,
                                                 &weft_sink_webhook };

const weft_sink_kind_t *
weft_sink_kind (const char *name)
{
    for (size_t i = 0; i < WEFT_COUNT (kinds); i++)
        if (!strcmp (kinds[i]->kind, name))
            return kinds[i];
    return NULL;
}
