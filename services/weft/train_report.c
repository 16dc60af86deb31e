//  train_report.c - what is said about a training: card, JSON, table.

#include <jansson.h>

#include "train.h"

#include <math.h>

//  Six decimals, so that the card has the same bytes everywhere.
static json_t *
rounded (double value)
{
    return json_real (round (value * 1e6) / 1e6);
}

static json_t *
confusion_json (const train_report_t *report)
{
    const weft_evaluation_t *result = &report->result;
    json_t *rows = json_array ();
    for (uint32_t i = 0; i < result->classes; i++) {
        json_t *row = json_array ();
        for (uint32_t j = 0; j < result->classes; j++)
            json_array_append_new (row, json_integer (result->confusion[i][j]));
        json_array_append_new (rows, row);
    }
    return rows;
}

static json_t *
classes_json (const train_report_t *report)
{
    json_t *classes = json_array ();
    for (uint32_t k = 0; k < report->result.classes; k++) {
        const weft_class_result_t *one = &report->result.by_class[k];
        json_array_append_new (
            classes,
            json_pack ("{s:s, s:I, s:o, s:o, s:o}", "class", report->names[k],
                       "rows", (json_int_t)one->rows, "precision",
                       rounded (one->precision), "recall",
                       rounded (one->recall), "f1", rounded (one->f1)));
    }
    return classes;
}

static json_t *
reliability_json (const weft_evaluation_t *result)
{
    json_t *bins = json_array ();
    for (int i = 0; i < WEFT_EVALUATION_BINS; i++)
        if (result->bins[i].rows)
            json_array_append_new (
                bins,
                json_pack ("{s:I, s:o, s:o}", "rows",
                           (json_int_t)result->bins[i].rows, "confidence",
                           rounded (result->bins[i].confidence), "accuracy",
                           rounded (result->bins[i].accuracy)));
    return bins;
}

static json_t *
pair (double low, double high)
{
    return json_pack ("[o, o]", rounded (low), rounded (high));
}

static void
add_metrics (json_t *card, const train_report_t *report)
{
    const weft_evaluation_t *r = &report->result;
    const weft_evaluation_t *plain = &report->plain;
    json_object_set_new (card, "accuracy", rounded (r->accuracy));
    json_object_set_new (card, "accuracy_95",
                         pair (r->accuracy_low, r->accuracy_high));
    json_object_set_new (card, "macro_f1", rounded (r->macro_f1));
    json_object_set_new (card, "macro_f1_95",
                         pair (r->macro_f1_low, r->macro_f1_high));
    json_object_set_new (card, "brier", rounded (r->brier));
    json_object_set_new (card, "log_loss", rounded (r->log_loss));
    json_object_set_new (card, "ece", rounded (r->ece));
    json_object_set_new (card, "uncalibrated",
                         json_pack ("{s:o, s:o, s:o}", "brier",
                                    rounded (plain->brier), "log_loss",
                                    rounded (plain->log_loss), "ece",
                                    rounded (plain->ece)));
    json_object_set_new (card, "by_class", classes_json (report));
    json_object_set_new (card, "confusion", confusion_json (report));
    json_object_set_new (card, "reliability", reliability_json (r));
}

static json_t *
trainer_json (const weft_trainer_options_t *options)
{
    return json_pack ("{s:s, s:i, s:i, s:f, s:f, s:f, s:f}", "objective",
                      "multi:softprob", "rounds", (int)options->rounds, "depth",
                      (int)options->depth, "eta", options->eta, "subsample",
                      options->subsample, "columns", options->columns,
                      "min_weight", options->min_weight);
}

static json_t *
data_json (const train_report_t *report)
{
    const train_counts_t *counts = &report->counts;
    return json_pack (
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "packets",
        (json_int_t)counts->packets, "refused", (json_int_t)counts->refused,
        "repeated", (json_int_t)counts->repeated, "unknown",
        (json_int_t)counts->unknown, "not_applicable",
        (json_int_t)counts->not_applicable, "train",
        (json_int_t)report->rows[WEFT_SPLIT_TRAIN], "calibrate",
        (json_int_t)report->rows[WEFT_SPLIT_CALIBRATE], "test",
        (json_int_t)report->rows[WEFT_SPLIT_TEST], "sha256", report->data_hash);
}

static json_t *
card_json (const train_report_t *report)
{
    char set[16];
    snprintf (set, sizeof (set), "%08x", weft_feature_set_id (report->set));
    json_t *card = json_pack (
        "{s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:o, s:o, s:I}", "name",
        report->options->name, "weft", WEFT_VERSION, "feature_set",
        weft_feature_set_name (report->set), "set", set, "seed",
        (json_int_t)report->options->trainer.seed, "classes", report->classes,
        "calibration", weft_calibration_name (&report->calibration), "trainer",
        trainer_json (&report->options->trainer), "data", data_json (report),
        "test_objects", (json_int_t)report->result.objects);
    if (card)
        add_metrics (card, report);
    return card;
}

int
train_card (const train_report_t *report, weft_buf_t *out)
{
    json_t *card = card_json (report);
    char *text = card ? json_dumps (card, JSON_INDENT (1)) : NULL;
    json_decref (card);
    if (!text)
        return WEFT_ENOMEM;
    weft_buf_add (out, text, strlen (text) + 1);
    free (text);
    return out->error;
}

int
train_write_json (const train_report_t *report, const char *path)
{
    json_t *json = card_json (report);
    if (!json)
        return WEFT_ENOMEM;
    json_object_set_new (json, "version", json_string (report->version));
    json_object_set_new (json, "seconds", json_real (report->seconds));
    json_object_set_new (json, "worst_difference", json_real (report->worst));
    int rc = json_dump_file (json, path, JSON_INDENT (1)) ? WEFT_EIO : 0;
    json_decref (json);
    return rc;
}

static void
print_classes (const train_report_t *report, FILE *out)
{
    const weft_evaluation_t *r = &report->result;
    fprintf (out, "\n  %-14s %6s %9s %6s %6s   found as\n", "class", "rows",
             "precision", "recall", "F1");
    for (uint32_t i = 0; i < r->classes; i++) {
        const weft_class_result_t *one = &r->by_class[i];
        fprintf (out, "  %-14s %6llu %9.3f %6.3f %6.3f  ", report->names[i],
                 (unsigned long long)one->rows, one->precision, one->recall,
                 one->f1);
        for (uint32_t j = 0; j < r->classes; j++)
            fprintf (out, " %5u", r->confusion[i][j]);
        fputc ('\n', out);
    }
}

void
train_print (const train_report_t *report, FILE *out)
{
    const weft_evaluation_t *r = &report->result;
    const train_counts_t *counts = &report->counts;
    fprintf (out,
             "%llu alerts of %llu objects (%llu refused, %llu repeated, %llu "
             "unknown, %llu without features)\n",
             (unsigned long long)counts->used,
             (unsigned long long)counts->objects,
             (unsigned long long)counts->refused,
             (unsigned long long)counts->repeated,
             (unsigned long long)counts->unknown,
             (unsigned long long)counts->not_applicable);
    fprintf (out, "model %s %.16s, set %s, %u classes, trained in %.1f s\n",
             report->options->name, report->version,
             weft_feature_set_name (report->set), r->classes, report->seconds);
    fprintf (out,
             "test split, %llu alerts of %llu unseen objects: accuracy %.3f "
             "[%.3f, %.3f], macro-F1 %.3f [%.3f, %.3f]\n",
             (unsigned long long)r->rows, (unsigned long long)r->objects,
             r->accuracy, r->accuracy_low, r->accuracy_high, r->macro_f1,
             r->macro_f1_low, r->macro_f1_high);
    fprintf (out,
             "calibration %s: Brier %.4f (without %.4f), log-loss %.4f (%.4f), "
             "ECE %.4f (%.4f)\n",
             weft_calibration_name (&report->calibration), r->brier,
             report->plain.brier, r->log_loss, report->plain.log_loss, r->ece,
             report->plain.ece);
    print_classes (report, out);
}
