//  weft_metrics.c - counters, gauges and histograms in Prometheus' text form.

#include "weft_metrics.h"

#include <pthread.h>
#include <stdatomic.h>

#include "weft_log.h"

enum { METRICS_MOST = 1024, BOUNDS_MOST = 24, TEXT_MOST = 256 };

typedef enum { COUNTER, GAUGE, HISTOGRAM } kind_t;

struct weft_metric {
    kind_t kind;
    char name[64];
    char labels[TEXT_MOST];
    _Atomic double value;  //  histogram: the sum
    size_t n_bounds;
    double bounds[BOUNDS_MOST];
    //  Observations in each bucket (not cumulated), the last one beyond all
    //  bounds; only of histograms.
    _Atomic uint64_t *counts;
    size_t users;  //  who have asked for it and not given it back
};

//  The lock is between those who register, give back and write the text; the
//  values themselves are atomic.
static struct {
    pthread_mutex_t lock;
    size_t n;
    bool full;  //  that it was once has been said
    weft_metric_t *metrics[METRICS_MOST];
} all = { .lock = PTHREAD_MUTEX_INITIALIZER };

static weft_metric_t overflow = { .kind = GAUGE, .name = "weft_overflow" };

static weft_metric_t *
find (const char *name, const char *labels)
{
    for (size_t i = 0; i < all.n; i++)
        if (strcmp (all.metrics[i]->name, name) == 0 &&
            strcmp (all.metrics[i]->labels, labels) == 0)
            return all.metrics[i];
    return NULL;
}

static weft_metric_t *
make (kind_t kind, const char *name, const char *labels, const double *bounds)
{
    bool fits = strlen (name) < sizeof overflow.name &&
                strlen (labels) < sizeof overflow.labels;
    weft_metric_t *self =
        fits && all.n < METRICS_MOST ? calloc (1, sizeof *self) : NULL;
    if (!self)
        return &overflow;
    self->kind = kind;
    snprintf (self->name, sizeof self->name, "%s", name);
    snprintf (self->labels, sizeof self->labels, "%s", labels);
    while (bounds && self->n_bounds < BOUNDS_MOST && bounds[self->n_bounds] > 0)
        self->n_bounds++;
    if (kind == HISTOGRAM && bounds) {
        self->counts = calloc (self->n_bounds + 1, sizeof *self->counts);
        if (!self->counts) {
            free (self);
            return &overflow;
        }
        memcpy (self->bounds, bounds, self->n_bounds * sizeof *bounds);
    }
    all.metrics[all.n++] = self;
    return self;
}

static weft_metric_t *
find_or_make (kind_t kind,
              const char *name,
              const char *labels,
              const double *bounds)
{
    pthread_mutex_lock (&all.lock);
    weft_metric_t *self = find (name, labels);
    if (!self)
        self = make (kind, name, labels, bounds);
    self->users++;
    bool said = self != &overflow || all.full;
    all.full |= self == &overflow;
    pthread_mutex_unlock (&all.lock);
    if (!said)
        weft_log (WEFT_WARN, "METRICS-FULL",
                  "%s{%s} is not exported, and others may not be: there are "
                  "%d metrics already, or its labels have more than %d bytes",
                  name, labels, METRICS_MOST, TEXT_MOST - 1);
    return self;
}

void
weft_metric_drop (weft_metric_t **self_p)
{
    weft_metric_t *self = *self_p;
    size_t at = 0;
    *self_p = NULL;
    if (!self || self == &overflow)
        return;
    pthread_mutex_lock (&all.lock);
    if (--self->users == 0) {
        while (all.metrics[at] != self)
            at++;
        //  The others stay in their order.
        memmove (all.metrics + at, all.metrics + at + 1,
                 (--all.n - at) * sizeof (*all.metrics));
        free (self->counts);
        free (self);
    }
    pthread_mutex_unlock (&all.lock);
}

weft_metric_t *
weft_counter (const char *name, const char *labels)
{
    return find_or_make (COUNTER, name, labels, NULL);
}

weft_metric_t *
weft_gauge (const char *name, const char *labels)
{
    return find_or_make (GAUGE, name, labels, NULL);
}

weft_metric_t *
weft_histogram (const char *name, const char *labels, const double *bounds)
{
    return find_or_make (HISTOGRAM, name, labels, bounds);
}

void
weft_metric_set (weft_metric_t *self, double value)
{
    atomic_store_explicit (&self->value, value, memory_order_relaxed);
}

void
weft_metric_add (weft_metric_t *self, double n)
{
    weft_metric_set (self, weft_metric_value (self) + n);
}

double
weft_metric_value (const weft_metric_t *self)
{
    return atomic_load_explicit (&self->value, memory_order_relaxed);
}

void
weft_metric_observe (weft_metric_t *self, double value)
{
    if (!self->counts)
        return;
    size_t i = 0;
    while (i < self->n_bounds && value > self->bounds[i])
        i++;
    uint64_t n =
        atomic_load_explicit (&self->counts[i], memory_order_relaxed) + 1;
    atomic_store_explicit (&self->counts[i], n, memory_order_relaxed);
    weft_metric_add (self, value);
}

void
weft_metric_label (const char *value, char *out, size_t room)
{
    size_t at = 0;
    for (; *value && at + 3 <= room; value++) {
        if (*value == '\\' || *value == '"' || *value == '\n')
            out[at++] = '\\';
        out[at++] = *value;
        if (*value == '\n')
            out[at - 1] = 'n';
    }
    if (room > 0)
        out[at] = '\0';
}

static void
write_value (const weft_metric_t *self, weft_buf_t *out)
{
    if (self->labels[0])
        weft_buf_addf (out, "%s{%s} %.15g\n", self->name, self->labels,
                       weft_metric_value (self));
    else
        weft_buf_addf (out, "%s %.15g\n", self->name, weft_metric_value (self));
}

static void
write_histogram (const weft_metric_t *self, weft_buf_t *out)
{
    const char *comma = self->labels[0] ? "," : "";
    uint64_t sum = 0;
    for (size_t i = 0; i <= self->n_bounds; i++) {
        char bound[32] = "+Inf";
        if (i < self->n_bounds)
            snprintf (bound, sizeof bound, "%.15g", self->bounds[i]);
        sum += atomic_load_explicit (&self->counts[i], memory_order_relaxed);
        weft_buf_addf (out, "%s_bucket{%s%sle=\"%s\"} %llu\n", self->name,
                       self->labels, comma, bound, (unsigned long long)sum);
    }
    const char *open = self->labels[0] ? "{" : "";
    const char *close = self->labels[0] ? "}" : "";
    weft_buf_addf (out, "%s_sum%s%s%s %.15g\n", self->name, open, self->labels,
                   close, weft_metric_value (self));
    weft_buf_addf (out, "%s_count%s%s%s %llu\n", self->name, open, self->labels,
                   close, (unsigned long long)sum);
}

static bool
is_first (size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp (all.metrics[i]->name, all.metrics[index]->name) == 0)
            return false;
    return true;
}

//  The format wants all samples of a name together, behind their TYPE line.
static void
write_family (size_t first, size_t n, weft_buf_t *out)
{
    static const char *const kinds[] = { "counter", "gauge", "histogram" };
    const weft_metric_t *head = all.metrics[first];
    weft_buf_addf (out, "# TYPE %s %s\n", head->name, kinds[head->kind]);
    for (size_t i = first; i < n; i++) {
        const weft_metric_t *self = all.metrics[i];
        if (strcmp (self->name, head->name) != 0 || self->kind != head->kind)
            continue;
        if (self->kind == HISTOGRAM)
            write_histogram (self, out);
        else
            write_value (self, out);
    }
}

void
weft_metrics_write (weft_buf_t *out)
{
    pthread_mutex_lock (&all.lock);
    for (size_t i = 0; i < all.n; i++)
        if (is_first (i))
            write_family (i, all.n, out);
    pthread_mutex_unlock (&all.lock);
}
