//  weft_model_pack.c - see weft_model_pack.h.

#include "weft_model_pack.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

static int
encode (const weft_model_parts_t *parts,
        const weft_buf_t *features,
        const uint8_t *calibration_bytes,
        weft_buf_t *out,
        char version[WEFT_VERSION_SIZE])
{
    weft_model_v1_t model;
    weft_col_t calibration = { calibration_bytes, parts->calibration->n };
    weft_str_t names = { (const char *)features->data,
                         (uint32_t)features->size };
    weft_bin_t blob = { parts->ubj->data, (uint32_t)parts->ubj->size };
    const char *method = weft_calibration_name (parts->calibration);
    weft_contract_clear (&weft_model_v1, &model);
    WEFT_SET (model_v1, &model, name, weft_str (parts->name));
    WEFT_SET (model_v1, &model, format, weft_str ("ubj"));
    WEFT_SET (model_v1, &model, set, weft_feature_set_id (parts->set));
    WEFT_SET (model_v1, &model, features, names);
    WEFT_SET (model_v1, &model, classes, weft_str (parts->classes));
    WEFT_SET (model_v1, &model, calibration, weft_str (method));
    WEFT_SET (model_v1, &model, calibration_data, calibration);
    WEFT_SET (model_v1, &model, card, weft_str (parts->card));
    WEFT_SET (model_v1, &model, blob, blob);
    int rc = weft_model_version (&model, version);
    if (rc)
        return rc;
    WEFT_SET (model_v1, &model, version, weft_str (version));
    WEFT_SET (model_v1, &model, created_at, parts->created_at);
    weft_buf_clear (out);
    return weft_contract_encode (&weft_model_v1, &model, out);
}

int
weft_model_pack (const weft_model_parts_t *parts,
                 weft_buf_t *out,
                 char version[WEFT_VERSION_SIZE])
{
    weft_buf_t features;
    uint8_t calibration[4 * WEFT_CALIBRATION_MOST];
    for (uint32_t i = 0; i < parts->calibration->n; i++)
        weft_put_f32 (calibration + 4 * i, parts->calibration->data[i]);
    weft_buf_init (&features, WEFT_FEATURES_MOST * WEFT_FEATURES_NAME);
    weft_scorer_feature_names (parts->set, &features);
    int rc = features.error;
    rc = rc ? rc : encode (parts, &features, calibration, out, version);
    weft_buf_fini (&features);
    return rc;
}

static int
write_file (const char *dir, const char *name, const void *data, size_t size)
{
    char path[PATH_MAX];
    int n = snprintf (path, sizeof (path), "%s/%s", dir, name);
    if (n < 0 || n >= (int)sizeof (path))
        return WEFT_ERANGE;
    FILE *file = fopen (path, "wb");
    if (!file)
        return WEFT_EIO;
    bool written = fwrite (data, 1, size, file) == size;
    return fclose (file) || !written ? WEFT_EIO : 0;
}

//  The set's id and name, then a name a line, in order.
static void
list_features (const weft_feature_set_t *set, weft_buf_t *out)
{
    weft_buf_addf (out, "# set %08x %s\n", weft_feature_set_id (set),
                   weft_feature_set_name (set));
    for (uint32_t i = 0; i < weft_feature_set_count (set); i++)
        weft_buf_addf (out, "%s\n", weft_feature_set_feature (set, i)->name);
}

static void
list_classes (const char *classes, weft_buf_t *out)
{
    for (const char *at = classes; *at;) {
        size_t size = strcspn (at, ",");
        weft_buf_addf (out, "%.*s\n", (int)size, at);
        at += size + (at[size] == ',');
    }
}

static void
list_calibration (const weft_calibration_t *self, weft_buf_t *out)
{
    weft_buf_addf (out, "{\"method\": \"%s\", \"parameters\": [",
                   weft_calibration_name (self));
    for (uint32_t i = 0; i < self->n; i++)
        weft_buf_addf (out, "%s%.9g", i ? ", " : "", (double)self->data[i]);
    weft_buf_addf (out, "]}\n");
}

int
weft_model_write_dir (const weft_model_parts_t *parts,
                      const weft_buf_t *section,
                      const char *dir,
                      char *why,
                      size_t room)
{
    weft_buf_t features, classes, calibration;
    weft_buf_init (&features, 1u << 20);
    weft_buf_init (&classes, 1u << 16);
    weft_buf_init (&calibration, 1u << 16);
    list_features (parts->set, &features);
    list_classes (parts->classes, &classes);
    list_calibration (parts->calibration, &calibration);
    const struct {
        const char *name;
        const void *data;
        size_t size;
    } files[] = {
        { "model.ubj", parts->ubj->data, parts->ubj->size },
        { "features.txt", features.data, features.size },
        { "classes.txt", classes.data, classes.size },
        { "calib.json", calibration.data, calibration.size },
        { "card.json", parts->card, strlen (parts->card) },
        { "model.v1", section->data, section->size },
    };
    int rc = mkdir (dir, 0755) && errno != EEXIST ? WEFT_EIO : 0;
    snprintf (why, room, "%s", dir);
    for (size_t i = 0; !rc && i < WEFT_COUNT (files); i++) {
        rc = write_file (dir, files[i].name, files[i].data, files[i].size);
        snprintf (why, room, "%s/%s", dir, files[i].name);
    }
    weft_buf_fini (&features);
    weft_buf_fini (&classes);
    weft_buf_fini (&calibration);
    return rc;
}
