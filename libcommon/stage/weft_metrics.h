//  weft_metrics.h - counters, gauges and histograms in Prometheus' text form.
//
//  A metric is registered once, with its labels, and gives a handle; adding is
//  one relaxed atomic, so the HTTP thread may read while the loop writes.
//  Register before threads start or from the loop; add from one thread.

#ifndef WEFT_METRICS_H_INCLUDED
#define WEFT_METRICS_H_INCLUDED

#include "weft_buf.h"

typedef struct weft_metric weft_metric_t;

//  Finds or makes a metric. `labels` is written as it stands between the
//  braces, e.g. "stage=\"feature\",outcome=\"settled\"". Never NULL: beyond the
//  ceiling (1,024 metrics) a shared overflow metric is returned, which is in no
//  text, and that is logged once.
weft_metric_t *weft_counter (const char *name, const char *labels);
weft_metric_t *weft_gauge (const char *name, const char *labels);
//  `bounds` ends with 0; upper bounds in the metric's unit, ascending.
weft_metric_t *
weft_histogram (const char *name, const char *labels, const double *bounds);

//  Gives a metric back and sets *self_p to NULL. When everybody who has asked
//  for it has, it leaves the text and makes room for another. Safe on NULL.
void weft_metric_drop (weft_metric_t **self_p);

void weft_metric_add (weft_metric_t *self, double n);
void weft_metric_set (weft_metric_t *self, double value);
void weft_metric_observe (weft_metric_t *self, double value);
double weft_metric_value (const weft_metric_t *self);

//  A label's value with backslash, quote and newline escaped, cut to what fits.
void weft_metric_label (const char *value, char *out, size_t room);

//  All metrics in the text format 0.0.4. Any thread.
void weft_metrics_write (weft_buf_t *out);

#endif
