//  weft_scorer_test.c - a published model is taken whole or refused by name,
//  and its copy on disk is believed only if its checksum holds.

#include "model_fixture.h"

#include "weft_model_file.h"

#include <sys/stat.h>
#include <unistd.h>

static model_fixture_t fixture;

static int
setup (void **state)
{
    (void)state;
    model_fixture_init (&fixture, "demo", 3);
    return 0;
}

static int
teardown (void **state)
{
    (void)state;
    model_fixture_fini (&fixture);
    return 0;
}

static void
test_good_model_scores (void **state)
{
    (void)state;
    char why[WEFT_SCORER_WHY];
    weft_scorer_t *scorer =
        weft_scorer_new (fixture.section.data, fixture.section.size, why);
    assert_non_null (scorer);
    assert_string_equal (weft_scorer_name (scorer), "demo");
    assert_string_equal (weft_scorer_version (scorer), fixture.version);
    assert_string_equal (weft_scorer_classes (scorer), MODEL_CLASSES);
    assert_string_equal (weft_scorer_calibration (scorer), "temperature");
    float p[MODEL_ROWS * 3];
    weft_scorer_score (scorer, fixture.values, MODEL_ROWS, p);
    size_t right = 0;
    for (size_t i = 0; i < MODEL_ROWS; i++) {
        const float *row = p + 3 * i;
        assert_true (fabsf (row[0] + row[1] + row[2] - 1) < 1e-5f);
        uint32_t k = row[0] > row[1] ? 0 : 1;
        k = row[2] > row[k] ? 2 : k;
        right += k == fixture.truth[i];
    }
    assert_true (right > MODEL_ROWS * 9 / 10);
    weft_scorer_destroy (&scorer);
}

//  The section with one field changed; honest: its version is made anew.
static void
refused (void (*change) (weft_model_v1_t *), bool honest, const char *because)
{
    char why[WEFT_SCORER_WHY] = "";
    char version[WEFT_VERSION_SIZE];
    weft_model_v1_t model;
    weft_buf_t buf;
    assert_int_equal (weft_contract_decode (&weft_model_v1, &model,
                                            fixture.section.data,
                                            fixture.section.size),
                      0);
    change (&model);
    if (honest) {
        assert_int_equal (weft_model_version (&model, version), 0);
        model.version = weft_str (version);
    }
    weft_buf_init (&buf, 16u << 20);
    assert_int_equal (weft_contract_encode (&weft_model_v1, &model, &buf), 0);
    weft_scorer_t *scorer = weft_scorer_new (buf.data, buf.size, why);
    assert_null (scorer);
    if (!strstr (why, because))
        fail_msg ("refused because '%s', not '%s'", why, because);
    weft_buf_fini (&buf);
}

static void
cut_blob (weft_model_v1_t *model)
{
    model->blob.n /= 2;
}

static void
other_set (weft_model_v1_t *model)
{
    model->set ^= 1;
}

static void
other_features (weft_model_v1_t *model)
{
    model->features.n--;
}

static void
other_format (weft_model_v1_t *model)
{
    model->format = weft_str ("onnx");
}

static void
fewer_classes (weft_model_v1_t *model)
{
    model->classes = weft_str ("SNIa,SNII");
}

static void
same_classes (weft_model_v1_t *model)
{
    model->classes = weft_str ("SNIa,SNII,SNIa");
}

static void
other_calibration (weft_model_v1_t *model)
{
    model->calibration = weft_str ("guess");
}

static void
no_parameters (weft_model_v1_t *model)
{
    model->calibration_data.n = 0;
}

static void
nothing (weft_model_v1_t *model)
{
    model->version = weft_str ("00");
}

static void
test_bad_models_are_refused (void **state)
{
    (void)state;
    refused (nothing, false, "SHA-256");
    refused (cut_blob, false, "SHA-256");
    refused (cut_blob, true, "trees");
    refused (other_set, true, "feature set");
    refused (other_features, true, "feature names");
    refused (other_format, true, "onnx");
    refused (fewer_classes, true, "classes");
    refused (same_classes, true, "class name");
    refused (other_calibration, true, "guess");
    refused (no_parameters, true, "calibration");
}

static void
test_truncated_sections_are_refused (void **state)
{
    (void)state;
    char why[WEFT_SCORER_WHY];
    for (size_t size = 0; size < fixture.section.size;
         size += 1 + fixture.section.size / 97) {
        uint8_t *copy = malloc (size + 1);
        assert_non_null (copy);
        memcpy (copy, fixture.section.data, size);
        assert_null (weft_scorer_new (copy, size, why));
        free (copy);
    }
}

//  The time of training is no part of the version, anything else is.
static void
test_version_is_of_the_content (void **state)
{
    (void)state;
    char version[WEFT_VERSION_SIZE];
    weft_model_v1_t model;
    assert_int_equal (weft_contract_decode (&weft_model_v1, &model,
                                            fixture.section.data,
                                            fixture.section.size),
                      0);
    model.created_at += 1;
    assert_int_equal (weft_model_version (&model, version), 0);
    assert_string_equal (version, fixture.version);
    model.name = weft_str ("other");
    assert_int_equal (weft_model_version (&model, version), 0);
    assert_string_not_equal (version, fixture.version);
}

static void
flip_byte (const char *path, long at)
{
    FILE *file = fopen (path, "r+b");
    assert_non_null (file);
    assert_int_equal (fseek (file, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    int byte = fgetc (file);
    assert_int_equal (fseek (file, -1, SEEK_CUR), 0);
    fputc (byte ^ 1, file);
    fclose (file);
}

static void
test_file_is_believed_if_its_checksum_holds (void **state)
{
    (void)state;
    char dir[] = "/tmp/weft-model-XXXXXX";
    char path[64];
    weft_buf_t back;
    assert_non_null (mkdtemp (dir));
    snprintf (path, sizeof (path), "%s/demo.model", dir);
    weft_buf_init (&back, 16u << 20);
    assert_int_equal (weft_model_file_read (dir, "demo", &back), WEFT_EAGAIN);
    assert_int_equal (weft_model_file_stamp (dir, "demo"), 0);
    assert_int_equal (weft_model_file_write (dir, "demo", fixture.section.data,
                                             fixture.section.size),
                      0);
    assert_int_equal (weft_model_file_read (dir, "demo", &back), 0);
    assert_int_equal (back.size, fixture.section.size);
    assert_memory_equal (back.data, fixture.section.data, back.size);
    assert_true (weft_model_file_stamp (dir, "demo") != 0);
    flip_byte (path, -5);
    assert_int_equal (weft_model_file_read (dir, "demo", &back),
                      WEFT_EMALFORMED);
    assert_int_equal (truncate (path, 100), 0);
    assert_int_equal (weft_model_file_read (dir, "demo", &back),
                      WEFT_ETRUNCATED);
    assert_int_equal (truncate (path, 10), 0);
    assert_int_equal (weft_model_file_read (dir, "demo", &back),
                      WEFT_ETRUNCATED);
    weft_buf_fini (&back);
    unlink (path);
    rmdir (dir);
}

static void
test_names (void **state)
{
    (void)state;
    assert_true (weft_model_name_ok ("sn_early-2.1"));
    assert_false (weft_model_name_ok (""));
    assert_false (weft_model_name_ok ("../etc"));
    assert_false (weft_model_name_ok (".hidden"));
    assert_false (weft_model_name_ok ("a:b"));
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_good_model_scores),
        cmocka_unit_test (test_bad_models_are_refused),
        cmocka_unit_test (test_truncated_sections_are_refused),
        cmocka_unit_test (test_version_is_of_the_content),
        cmocka_unit_test (test_file_is_believed_if_its_checksum_holds),
        cmocka_unit_test (test_names),
    };
    return cmocka_run_group_tests (tests, setup, teardown);
}
