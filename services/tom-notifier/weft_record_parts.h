//  weft_record_parts.h - the record's bytes, for its writer and its readers. No
//  state, any thread.

#ifndef WEFT_RECORD_PARTS_H_INCLUDED
#define WEFT_RECORD_PARTS_H_INCLUDED

#include "weft_record.h"

#define WEFT_RECORD_ENTRY 40  //  bytes of an entry of the index

//  `out` holds PATH_MAX.
void weft_record_path (const char *folder,
                       uint32_t segment,
                       const char *end,
                       char *out);

static inline void
weft_record_put (const weft_record_entry_t *entry, uint8_t *out)
{
    weft_put_u64 (out, (uint64_t)entry->alert_id);
    weft_put_u32 (out + 8, (uint32_t)entry->night);
    weft_put_u32 (out + 12, entry->survey);
    weft_put_u64 (out + 16, entry->version);
    weft_put_u64 (out + 24, entry->offset);
    weft_put_u32 (out + 32, entry->size);
    weft_put_u32 (out + 36, entry->filters);
}

static inline void
weft_record_get (const uint8_t *in, weft_record_entry_t *entry)
{
    *entry = (weft_record_entry_t){
        .alert_id = (int64_t)weft_get_u64 (in),
        .night = (int32_t)weft_get_u32 (in + 8),
        .survey = weft_get_u32 (in + 12),
        .version = weft_get_u64 (in + 16),
        .offset = weft_get_u64 (in + 24),
        .size = weft_get_u32 (in + 32),
        .filters = (uint16_t)weft_get_u32 (in + 36),
    };
}

#endif
