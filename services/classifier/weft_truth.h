//  weft_truth.h - which class each alert has, from a CSV file.
//
//  The file has a header; its columns alert_id and class are used, others are
//  not looked at. Text is plain: no quotes, no commas in values. One thread.

#ifndef WEFT_TRUTH_H_INCLUDED
#define WEFT_TRUTH_H_INCLUDED

#include "weft_base.h"

#define WEFT_TRUTH_ROWS_MOST (1u << 24)
#define WEFT_TRUTH_CLASSES_MOST 64
#define WEFT_TRUTH_CLASS_SIZE 32  //  longest class name, with its 0
#define WEFT_TRUTH_WHY 160

typedef struct weft_truth weft_truth_t;

//  Returns new: the file's rows, or NULL with file, line and reason in `why`.
//  Classes are numbered in alphabetical order.
WEFT_NEW weft_truth_t *weft_truth_new (const char *path,
                                       char why[WEFT_TRUTH_WHY]);
void weft_truth_destroy (weft_truth_t **self_p);

//  Class of an alert, -1 if the file does not say.
int weft_truth_class (const weft_truth_t *self, int64_t alert_id);

size_t weft_truth_rows (const weft_truth_t *self);
uint32_t weft_truth_classes (const weft_truth_t *self);
const char *weft_truth_class_name (const weft_truth_t *self, uint32_t class);

#endif
