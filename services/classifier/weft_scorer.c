//  weft_scorer.c - see weft_scorer.h.

#include "weft_scorer.h"

#include "weft_calibration.h"
#include "weft_features.h"
#include "weft_forest.h"
#include "weft_hash.h"

#include <stdarg.h>

#define NAME_MOST 64
#define CLASS_NAMES_MOST 2048  //  bytes of all class names together

struct weft_scorer {
    char name[NAME_MOST];
    char version[WEFT_VERSION_SIZE];
    char classes[CLASS_NAMES_MOST];
    uint32_t set;
    uint32_t n_classes;
    weft_forest_t *forest;  //  owned
    weft_calibration_t calibration;
};

static int refuse (char *why, int rc, const char *format, ...)
    WEFT_PRINTF (3, 4);

static int
refuse (char *why, int rc, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    vsnprintf (why, WEFT_SCORER_WHY, format, args);
    va_end (args);
    return rc;
}

int
weft_model_version (const weft_model_v1_t *model,
                    char version[WEFT_VERSION_SIZE])
{
    weft_model_v1_t bare = *model;
    weft_buf_t buf;
    WEFT_SET (model_v1, &bare, version, weft_str (""));
    WEFT_SET (model_v1, &bare, created_at, 0);
    weft_buf_init (&buf, WEFT_MODEL_SECTION_MOST);
    int rc = weft_contract_encode (&weft_model_v1, &bare, &buf);
    if (!rc) {
        uint8_t digest[32];
        weft_sha256 (buf.data, buf.size, digest);
        weft_hex (digest, sizeof (digest), version);
    }
    weft_buf_fini (&buf);
    return rc;
}

void
weft_scorer_feature_names (const weft_feature_set_t *set, weft_buf_t *out)
{
    for (uint32_t i = 0; i < weft_feature_set_count (set); i++)
        weft_buf_addf (out, "%s%s", i ? "," : "",
                       weft_feature_set_feature (set, i)->name);
}

static int
check_version (const weft_model_v1_t *model, char *why)
{
    char version[WEFT_VERSION_SIZE];
    int rc = weft_model_version (model, version);
    if (rc)
        return refuse (why, rc, "its version cannot be computed");
    if (!weft_str_is (model->version, version))
        return refuse (why, WEFT_EMALFORMED,
                       "the version is not the SHA-256 of the content");
    return 0;
}

static int
check_features (const weft_model_v1_t *model, char *why)
{
    const weft_feature_set_t *set = weft_feature_set_find (model->set);
    if (!set)
        return refuse (why, WEFT_EVERSION, "feature set %08x is not known here",
                       model->set);
    weft_buf_t names;
    weft_buf_init (&names, WEFT_FEATURES_MOST * WEFT_FEATURES_NAME);
    weft_scorer_feature_names (set, &names);
    bool same = !names.error && names.size == model->features.n &&
                !memcmp (names.data, model->features.p, names.size);
    weft_buf_fini (&names);
    return same ? 0
                : refuse (why, WEFT_EVERSION,
                          "its feature names differ from those of set %08x",
                          model->set);
}

//  Is the name at `start` there a second time before `end`?
static bool
name_repeats (const char *text, const char *start, size_t size)
{
    const char *at = text;
    while (at < start) {
        size_t n = strcspn (at, ",");
        if (n == size && !memcmp (at, start, n))
            return true;
        at += n + 1;
    }
    return false;
}

//  Counts names; 0 if one is empty or there twice.
static uint32_t
count_classes (const char *text)
{
    uint32_t n = 0;
    const char *at = text;
    for (;;) {
        size_t size = strcspn (at, ",");
        if (!size || name_repeats (text, at, size))
            return 0;
        n++;
        if (!at[size])
            return n;
        at += size + 1;
    }
}

static int
take_texts (weft_scorer_t *self, const weft_model_v1_t *model, char *why)
{
    if (!model->name.n || model->name.n >= sizeof (self->name) ||
        model->classes.n >= sizeof (self->classes))
        return refuse (why, WEFT_ERANGE, "its name or classes are too long");
    weft_str_copy (model->name, self->name, sizeof (self->name));
    weft_str_copy (model->version, self->version, sizeof (self->version));
    weft_str_copy (model->classes, self->classes, sizeof (self->classes));
    self->set = model->set;
    self->n_classes = count_classes (self->classes);
    return self->n_classes ? 0
                           : refuse (why, WEFT_EMALFORMED,
                                     "a class name is empty or repeated");
}

static int
take_forest (weft_scorer_t *self, const weft_model_v1_t *model, char *why)
{
    char forest_why[WEFT_FOREST_WHY];
    if (!weft_str_is (model->format, "ubj"))
        return refuse (why, WEFT_EVERSION, "format '%.*s' is not known here",
                       (int)WEFT_MIN (model->format.n, 32), model->format.p);
    self->forest = weft_forest_new (model->blob.p, model->blob.n, forest_why);
    if (!self->forest)
        return refuse (why, WEFT_EMALFORMED, "its trees: %s", forest_why);
    uint32_t inputs = weft_forest_inputs (self->forest);
    uint32_t wanted =
        weft_feature_set_count (weft_feature_set_find (self->set));
    if (inputs != wanted)
        return refuse (why, WEFT_EMALFORMED,
                       "its trees read %u features, the set has %u", inputs,
                       wanted);
    if (weft_forest_classes (self->forest) != self->n_classes)
        return refuse (why, WEFT_EMALFORMED,
                       "its trees tell %u classes, %u are named",
                       weft_forest_classes (self->forest), self->n_classes);
    return 0;
}

static int
take_calibration (weft_scorer_t *self, const weft_model_v1_t *model, char *why)
{
    int rc = weft_calibration_set (&self->calibration, model->calibration,
                                   model->calibration_data, self->n_classes);
    return rc ? refuse (why, rc, "calibration '%.*s': %s",
                        (int)WEFT_MIN (model->calibration.n, 32),
                        model->calibration.p, weft_error_text (rc))
              : 0;
}

static int
take_model (weft_scorer_t *self, const weft_model_v1_t *model, char *why)
{
    int rc = check_version (model, why);
    rc = rc ? rc : check_features (model, why);
    rc = rc ? rc : take_texts (self, model, why);
    rc = rc ? rc : take_forest (self, model, why);
    return rc ? rc : take_calibration (self, model, why);
}

weft_scorer_t *
weft_scorer_new (const void *section, size_t size, char why[WEFT_SCORER_WHY])
{
    weft_model_v1_t model;
    int rc = weft_contract_decode (&weft_model_v1, &model, section, size);
    if (rc) {
        (void)refuse (why, rc, "not a model.v1: %s", weft_error_text (rc));
        return NULL;
    }
    weft_scorer_t *self = calloc (1, sizeof (*self));
    rc = self ? take_model (self, &model, why)
              : refuse (why, WEFT_ENOMEM, "out of memory");
    if (rc)
        weft_scorer_destroy (&self);
    return self;
}

void
weft_scorer_destroy (weft_scorer_t **self_p)
{
    weft_scorer_t *self = *self_p;
    if (!self)
        return;
    weft_forest_destroy (&self->forest);
    free (self);
    *self_p = NULL;
}

const char *
weft_scorer_name (const weft_scorer_t *self)
{
    return self->name;
}

const char *
weft_scorer_version (const weft_scorer_t *self)
{
    return self->version;
}

const char *
weft_scorer_classes (const weft_scorer_t *self)
{
    return self->classes;
}

uint32_t
weft_scorer_class_count (const weft_scorer_t *self)
{
    return self->n_classes;
}

uint32_t
weft_scorer_set (const weft_scorer_t *self)
{
    return self->set;
}

const char *
weft_scorer_calibration (const weft_scorer_t *self)
{
    return weft_calibration_name (&self->calibration);
}

void
weft_scorer_score (const weft_scorer_t *self,
                   const float *values,
                   size_t rows,
                   float *p)
{
    weft_forest_margins (self->forest, values, rows, p);
    for (size_t i = 0; i < rows; i++)
        weft_calibration_apply (&self->calibration, p + i * self->n_classes,
                                self->n_classes);
}
