//  weft_label_text.h - labels as people write them: fields by name, as text.
//
//  One set of names for the command line, CSV files and the stream `label:in`:
//  the keys of label.v1, `time` for reported_at, `requester` for requested_by
//  and `id` for label_id. Any thread.

#ifndef WEFT_LABEL_TEXT_H_INCLUDED
#define WEFT_LABEL_TEXT_H_INCLUDED

#include "weft_contracts.h"

//  Sets a field. An empty value is an absent field. WEFT_EABSENT if no such
//  field can be given, WEFT_EMALFORMED if the text is not its kind of value.
//  Texts are borrowed.
WEFT_CHECK int
weft_label_set (weft_label_v1_t *label, weft_str_t key, weft_str_t value);

//  MJD (TAI) from "61234.5" (MJD TAI) or "2026-03-09T04:05:06Z" (UTC; the time
//  of day may be missing).
WEFT_CHECK int weft_label_time (weft_str_t text, double *mjd);

#endif
