//  weft_payload.h - an alert in short, as sinks tell people about it.
//
//  One JSON object per alert: who, where, when, the newest magnitudes with
//  their kind said, the best class of each model, the nearest matches. A pure
//  function of the alert, so that a redelivered one says the same. 64-bit ids
//  are strings, NaN is null. One thread.

#ifndef WEFT_PAYLOAD_H_INCLUDED
#define WEFT_PAYLOAD_H_INCLUDED

#include "weft_buf.h"
#include "weft_filter_view.h"

#define WEFT_PAYLOAD_MOST 65536  //  bytes of one payload
#define WEFT_KEY_MOST 256        //  bytes of one idempotency key

//  Appends the object to `out`. WEFT_EABSENT without alert.v1, else the
//  buffer's error.
WEFT_CHECK int weft_payload_write (weft_filter_view_t *view, weft_buf_t *out);

//  The idempotency key: survey/object/filter/id. What could need escaping
//  anywhere becomes '_'. `out` holds WEFT_KEY_MOST.
void weft_payload_key (const weft_envelope_v1_t *envelope,
                       weft_str_t filter,
                       char *out);

//  The key of a query for a spectrum: query/survey/object/requester.
void weft_payload_query_key (const weft_query_v1_t *query, char *out);

//  Appends to `out` the payload as one row of one sink: key, filter,
//  (if it has any bytes), passed_at and latency in front. Both times are fixed by the first insert of
//  the row. `received` is MJD TAI, `now` seconds since 1970.
void weft_payload_address (weft_str_t payload,
                           const char *key,
                           weft_str_t filter,
                           double received,
                           double now,
                           weft_buf_t *out);

#endif
