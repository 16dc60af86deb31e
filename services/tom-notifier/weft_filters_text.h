//  weft_filters_text.h - filters as a JSON text, and back.
//
//  The record keeps the text of every version of the filters that saw an alert,
//  so that "why" asks the very conditions that were asked then. The version is a
//  hash of the text: it changes when anything that could matter does. Any
//  thread.

#ifndef WEFT_FILTERS_TEXT_H_INCLUDED
#define WEFT_FILTERS_TEXT_H_INCLUDED

#include "weft_filters.h"

//  {"budget":..,"filters":[{"name","owner","sinks":[],"conditions":
//  [{"name","sql"}]}]}; returns its hash.
uint64_t weft_filters_text (const weft_filter_option_t *options,
                            uint32_t n,
                            weft_filter_limits_t limits,
                            weft_buf_t *out);

//  Filters out of such a text, with the text itself.
typedef struct {
    struct json_t *json;  //  owned
    weft_filters_t *filters;
} weft_filters_parsed_t;

//  WEFT_ECONFIG with `why` if it is none, or SQLite does not take it.
WEFT_CHECK int weft_filters_parse (weft_filters_parsed_t *self,
                                   const char *text,
                                   char *why,
                                   size_t room);
void weft_filters_parsed_fini (weft_filters_parsed_t *self);

//  The number of a filter of that name, or the number of filters.
uint32_t weft_filters_find (const weft_filters_t *filters, weft_str_t name);

#endif
