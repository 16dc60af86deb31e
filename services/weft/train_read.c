//  train_read.c - packets to feature vectors, as the mesh would see them.
//
//  Packets come in the order of the input; each alert sees the curve that its
//  object had by then, through ingest's own merge and view. So the model is
//  trained on what it will be asked about: no future, no repeated point.

#include "train.h"

#include "examples.h"

#include "weft_decoder.h"
#include "weft_hash.h"
#include "weft_input.h"
#include "weft_join.h"

#define OBJECTS_MOST (1u << 22)

typedef struct {
    uint64_t key;  //  hash of survey and object; 0: free
    weft_curve_t curve;
} slot_t;

//  Open addressing, a power of two.
typedef struct {
    slot_t *slots;
    size_t room, n;
} objects_t;

//  Alert ids that were seen, likewise.
typedef struct {
    uint64_t *slots;
    size_t room, n;
} seen_t;

typedef struct {
    const train_options_t *options;
    const weft_feature_set_t *set;
    const weft_truth_t *truth;
    weft_training_set_t *into;
    train_counts_t *counts;
    char *why;
    weft_decoder_t *decoder;
    weft_input_t *input;
    weft_view_t *view;
    weft_feature_work_t *work;
    objects_t objects;
    seen_t seen;
} reader_t;

static uint64_t
key_of (weft_str_t survey, const void *id, size_t size)
{
    uint64_t key =
        weft_hash_u64 (weft_hash (id, size) ^ weft_hash (survey.p, survey.n));
    return key ? key : 1;
}

static slot_t *
find_slot (objects_t *self, uint64_t key)
{
    size_t i = key & (self->room - 1);
    while (self->slots[i].key && self->slots[i].key != key)
        i = (i + 1) & (self->room - 1);
    return &self->slots[i];
}

static int
enlarge_objects (objects_t *self)
{
    objects_t larger = { .room = self->room ? 2 * self->room : 1024,
                         .n = self->n };
    if (larger.room > OBJECTS_MOST)
        return WEFT_ETOOBIG;
    larger.slots = calloc (larger.room, sizeof (*larger.slots));
    if (!larger.slots)
        return WEFT_ENOMEM;
    for (size_t i = 0; i < self->room; i++)
        if (self->slots[i].key)
            *find_slot (&larger, self->slots[i].key) = self->slots[i];
    free (self->slots);
    *self = larger;
    return 0;
}

static int
curve_of (objects_t *self, uint64_t key, weft_curve_t **curve)
{
    int rc = 2 * self->n >= self->room ? enlarge_objects (self) : 0;
    if (rc)
        return rc;
    slot_t *slot = find_slot (self, key);
    if (!slot->key) {
        slot->key = key;
        self->n++;
    }
    *curve = &slot->curve;
    return 0;
}

static int
enlarge_seen (seen_t *self)
{
    seen_t larger = { .room = self->room ? 2 * self->room : 4096 };
    larger.slots = calloc (larger.room, sizeof (*larger.slots));
    if (!larger.slots)
        return WEFT_ENOMEM;
    for (size_t i = 0; i < self->room; i++) {
        size_t k = self->slots[i] & (larger.room - 1);
        while (self->slots[i] && larger.slots[k])
            k = (k + 1) & (larger.room - 1);
        if (self->slots[i])
            larger.slots[k] = self->slots[i];
    }
    larger.n = self->n;
    free (self->slots);
    *self = larger;
    return 0;
}

//  Marks an alert; *before says whether it was marked already.
static int
mark_seen (seen_t *self, uint64_t key, bool *before)
{
    int rc = 2 * self->n >= self->room ? enlarge_seen (self) : 0;
    if (rc)
        return rc;
    size_t i = key & (self->room - 1);
    while (self->slots[i] && self->slots[i] != key)
        i = (i + 1) & (self->room - 1);
    *before = self->slots[i] == key;
    self->n += !*before;
    self->slots[i] = key;
    return 0;
}

//  Rows that are not public do not count, as in ingest.
static void
drop_nonpublic (weft_normal_t *normal)
{
    size_t kept = 0;
    for (size_t i = 0; i < normal->n_rows; i++)
        if (normal->rows[i].prog == 1)
            normal->rows[kept++] = normal->rows[i];
    normal->n_rows = kept;
}

//  The alert with the curve that it sees. WEFT_EABSENT if its own row is not
//  public.
static int
join (reader_t *self, weft_normal_t *normal)
{
    const weft_view_rule_t limits = { .public_only = true,
                                      .forced_days = WEFT_VIEW_FORCED_DAYS,
                                      .limit_days = WEFT_VIEW_LIMIT_DAYS,
                                      .rows_most = WEFT_VIEW_ROWS_MOST };
    weft_curve_t *curve = NULL;
    uint64_t key = key_of (normal->alert.survey, normal->object_id,
                           strlen (normal->object_id));
    int rc = curve_of (&self->objects, key, &curve);
    rc = rc ? rc : weft_curve_merge (curve, normal->rows, normal->n_rows, NULL);
    return rc ? rc : weft_join (normal, curve, &limits, self->view);
}

static int
add_features (reader_t *self, const weft_normal_t *normal, uint32_t class)
{
    float values[WEFT_FEATURES_MOST];
    int rc =
        weft_features_compute (self->set, &normal->alert, self->work, values);
    if (rc)
        return rc;
    self->counts->used++;
    if (self->options->writer)
        return examples_write (
            self->options->writer, &normal->alert, normal->object_id,
            weft_truth_class_name (self->truth, class), values);
    return weft_training_set_add (self->into, normal->object_id,
                                  strlen (normal->object_id), values, class);
}

static int
take_alert (reader_t *self, weft_normal_t *normal)
{
    const weft_alert_v1_t *alert = &normal->alert;
    bool before = false;
    uint64_t key =
        key_of (alert->survey, &alert->alert_id, sizeof (alert->alert_id));
    int rc = mark_seen (&self->seen, key, &before);
    if (rc)
        return rc;
    if (before) {
        self->counts->repeated++;
        return 0;
    }
    drop_nonpublic (normal);
    rc = join (self, normal);
    if (rc && rc != WEFT_EABSENT)
        return rc;
    int class = weft_truth_class (self->truth, alert->alert_id);
    if (class < 0) {
        self->counts->unknown++;
        return 0;
    }
    if (rc || weft_feature_set_for (alert->survey) != self->set ||
        weft_features_applicable (alert)) {
        self->counts->not_applicable++;
        return 0;
    }
    return add_features (self, normal, (uint32_t) class);
}

static int
take_message (reader_t *self, const weft_message_t *message)
{
    weft_decoded_t item;
    uint64_t items = 0;
    int rc = 0;
    if (message->why) {
        self->counts->refused++;
        self->input->advance (self->input, 1);
        return 0;
    }
    weft_decoder_open (self->decoder, message->data, message->size);
    while (!rc && weft_decoder_next (self->decoder, &item)) {
        items++;
        self->counts->refused += item.rc != 0;
        self->counts->packets += item.rc == 0;
        if (!item.rc)
            rc = take_alert (self, item.normal);
    }
    if (rc)
        snprintf (self->why, TRAIN_WHY, "%s: %s", message->path,
                  weft_error_text (rc));
    self->input->advance (self->input, items);
    return rc;
}

static int
read_all (reader_t *self)
{
    weft_message_t message;
    int rc = 0;
    while (!rc && (rc = self->input->next (self->input, &message)) == 1)
        rc = take_message (self, &message);
    self->counts->objects = self->objects.n;
    return rc;
}

static int
open_reader (reader_t *self)
{
    char why[WEFT_AVRO_WHY] = "";
    char input_why[WEFT_INPUT_WHY] = "";
    self->decoder = weft_decoder_new (self->options->schemas, why);
    if (!self->decoder) {
        snprintf (self->why, TRAIN_WHY, "%s", why);
        return WEFT_EIO;
    }
    self->input = weft_input_files (self->options->inputs,
                                    self->options->n_inputs, input_why);
    if (!self->input) {
        snprintf (self->why, TRAIN_WHY, "%s", input_why);
        return WEFT_EIO;
    }
    self->view = weft_view_new ();
    self->work = weft_feature_work_new ();
    return self->view && self->work ? 0 : WEFT_ENOMEM;
}

static void
close_reader (reader_t *self)
{
    for (size_t i = 0; i < self->objects.room; i++)
        weft_curve_fini (&self->objects.slots[i].curve);
    free (self->objects.slots);
    free (self->seen.slots);
    weft_feature_work_destroy (&self->work);
    weft_view_destroy (&self->view);
    weft_input_destroy (&self->input);
    weft_decoder_destroy (&self->decoder);
}

int
train_read (const train_options_t *options,
            const weft_feature_set_t *set,
            const weft_truth_t *truth,
            weft_training_set_t *into,
            train_counts_t *counts,
            char why[TRAIN_WHY])
{
    reader_t self = { .options = options,
                      .set = set,
                      .truth = truth,
                      .into = into,
                      .counts = counts,
                      .why = why };
    why[0] = 0;
    memset (counts, 0, sizeof (*counts));
    int rc = open_reader (&self);
    rc = rc ? rc : read_all (&self);
    close_reader (&self);
    return rc;
}
