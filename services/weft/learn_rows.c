//  learn_rows.c - gathers examples, labels and what was known when asking.

#include "learn.h"

#include "weft_queries.h"
#include "weft_rows.h"

//  What the last label of an object says.
typedef struct {
    char object[WEFT_LABEL_OBJECT];
    uint64_t number;
    bool retracted;
    char text[WEFT_LABEL_CLASS + 1];  //  the class
} labelled_t;

typedef struct {
    learn_t *learn;
    labelled_t *items;
    size_t n, room;
    uint64_t last;  //  labels up to this number count
    int rc;
} labels_t;

static int
number_class (learn_t *self, weft_str_t class, uint32_t *number)
{
    uint32_t k = 0;
    while (k < self->n_classes && !weft_str_is (class, self->classes[k]))
        k++;
    if (k == LEARN_CLASSES || class.n > WEFT_LABEL_CLASS)
        return WEFT_ETOOBIG;
    if (k == self->n_classes)
        weft_str_copy (class, self->classes[self->n_classes++],
                       sizeof (self->classes[0]));
    *number = k;
    return 0;
}

static int
make_room (learn_rows_t *rows, uint32_t inputs)
{
    if (rows->n < rows->room)
        return 0;
    size_t room = rows->room ? 2 * rows->room : 1024;
    if (room > LEARN_ROWS_MOST)
        return WEFT_ETOOBIG;
    learn_row_t *more = realloc (rows->rows, room * sizeof (*more));
    if (!more)
        return WEFT_ENOMEM;
    rows->rows = more;
    float *values = realloc (rows->values, room * inputs * sizeof (*values));
    if (!values)
        return WEFT_ENOMEM;
    rows->values = values;
    rows->room = room;
    return 0;
}

int
learn_add (learn_t *self,
           learn_rows_t *to,
           weft_str_t object,
           weft_str_t class,
           const float *values)
{
    uint32_t inputs = weft_feature_set_count (self->set);
    int rc = make_room (to, inputs);
    if (rc)
        return rc;
    learn_row_t *row = &to->rows[to->n];
    rc = number_class (self, class, &row->class);
    if (rc)
        return rc;
    weft_str_copy (object, row->object, sizeof (row->object));
    row->object_size = object.n;
    memcpy (to->values + to->n * inputs, values, inputs * sizeof (*values));
    to->n++;
    return 0;
}

static int
add_base (void *arg, const example_t *example)
{
    learn_t *self = arg;
    if (weft_label_held_out (example->object.p, example->object.n))
        return WEFT_ERANGE;
    return learn_add (self, &self->train, example->object, example->class,
                      example->values);
}

static int
add_test (void *arg, const example_t *example)
{
    learn_t *self = arg;
    if (!weft_label_held_out (example->object.p, example->object.n))
        return WEFT_ERANGE;
    return learn_add (self, &self->test, example->object, example->class,
                      example->values);
}

int
learn_read_examples (learn_t *self)
{
    int rc = examples_read (self->options.base, self->set, add_base, self,
                            self->base_sha, self->why);
    return rc ? rc
              : examples_read (self->options.test, self->set, add_test, self,
                               self->test_sha, self->why);
}

static labelled_t *
next_labelled (labels_t *self)
{
    if (self->n == self->room) {
        size_t room = self->room ? 2 * self->room : 1024;
        labelled_t *items = room > LEARN_ROWS_MOST
                                ? NULL
                                : realloc (self->items, room * sizeof (*items));
        if (!items)
            return NULL;
        self->items = items;
        self->room = room;
    }
    return &self->items[self->n++];
}

static void
take_label (void *arg, uint64_t number, weft_str_t id, weft_bin_t row)
{
    labels_t *self = arg;
    weft_label_v1_t label;
    (void)id;
    if (self->rc || number > self->last ||
        weft_contract_decode (&weft_label_v1, &label, row.p, row.n))
        return;
    labelled_t *item = next_labelled (self);
    if (!item) {
        self->rc = WEFT_ENOMEM;
        return;
    }
    snprintf (item->object, sizeof (item->object), "%.*s:%.*s",
              (int)label.survey.n, label.survey.p, (int)label.object_id.n,
              label.object_id.p);
    weft_str_copy (label.class, item->text, sizeof (item->text));
    item->number = number;
    item->retracted = WEFT_HAS (label_v1, &label, retracted) && label.retracted;
    self->learn->label_rows++;
}

static int
by_object (const void *a, const void *b)
{
    const labelled_t *x = a, *y = b;
    int order = strcmp (x->object, y->object);
    return order ? order : (x->number > y->number) - (x->number < y->number);
}

static int
by_name (const void *a, const void *b)
{
    return strcmp (((const labelled_t *)a)->object,
                   ((const labelled_t *)b)->object);
}

//  The last word on each object, without what was taken back.
static void
keep_last (labels_t *self)
{
    size_t kept = 0;
    if (self->n)
        qsort (self->items, self->n, sizeof (*self->items), by_object);
    for (size_t i = 0; i < self->n; i++) {
        const labelled_t *item = &self->items[i];
        bool last = i + 1 == self->n || by_name (item, item + 1) != 0;
        bool held = weft_label_held_out (item->object, strlen (item->object));
        if (!last || item->retracted)
            continue;
        self->learn->objects++;
        self->learn->held_out += held;
        if (!held)
            self->items[kept++] = *item;
    }
    self->n = kept;
}

static int
read_rows (labels_t *self)
{
    uint64_t after = 0, last = 0;
    int rc = 0;
    while (!rc && !self->rc && after < self->last) {
        rc = weft_rows_since (self->learn->redis, "label", after, 500,
                              take_label, self, &last);
        if (last == after)
            break;
        after = last;
    }
    return rc ? rc : self->rc;
}

//  A query whose object has a label by now becomes a row.
static void
take_query (void *arg, uint32_t rank, weft_bin_t section)
{
    labels_t *self = arg;
    weft_query_v1_t query;
    labelled_t key = { 0 };
    float values[WEFT_FEATURES_MOST];
    learn_t *learn = self->learn;
    uint32_t inputs = weft_feature_set_count (learn->set);
    (void)rank;
    if (self->rc ||
        weft_contract_decode (&weft_query_v1, &query, section.p, section.n))
        return;
    snprintf (key.object, sizeof (key.object), "%.*s:%.*s", (int)query.survey.n,
              query.survey.p, (int)query.object_id.n, query.object_id.p);
    const labelled_t *found =
        self->n ? bsearch (&key, self->items, self->n, sizeof (key), by_name)
                : NULL;
    if (!found || !WEFT_HAS (query_v1, &query, set) ||
        query.set != weft_feature_set_id (learn->set) ||
        query.values.n != inputs)
        return;
    for (uint32_t j = 0; j < inputs; j++)
        values[j] = weft_col_f32 (query.values, j);
    learn->asked++;
    self->rc = learn_add (learn, &learn->train, weft_str (found->object),
                          weft_str (found->text), values);
}

static int
read_queries (labels_t *self)
{
    int32_t nights[WEFT_QUERY_NIGHTS_MOST];
    size_t n = WEFT_QUERY_NIGHTS_MOST;
    int rc = weft_query_nights (self->learn->redis, nights, &n);
    while (!rc && !self->rc && n > 0)
        rc = weft_query_night (self->learn->redis, nights[--n], 1, take_query,
                               self);
    return rc ? rc : self->rc;
}

int
learn_read_labels (learn_t *self)
{
    uint64_t last = 0;
    int rc = weft_labels_last (self->redis, &last);
    if (rc)
        return rc;
    if (self->options.labels < 0 || (uint64_t)self->options.labels > last)
        self->options.labels = (int64_t)last;
    labels_t labels = { .learn = self, .last = (uint64_t)self->options.labels };
    rc = read_rows (&labels);
    keep_last (&labels);
    rc = rc ? rc : read_queries (&labels);
    free (labels.items);
    return rc;
}
