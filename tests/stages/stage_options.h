//  stage_options.h - what the tiny stages of the tests share.

#ifndef STAGE_OPTIONS_H_INCLUDED
#define STAGE_OPTIONS_H_INCLUDED

#include "weft_stage.h"

//  Is the number in a list of texts?
bool stage_listed (const weft_texts_t *list, int64_t id);

//  Returns new: an alert with this id and a section of `size` filler bytes.
weft_alert_t *stage_alert (int64_t id, size_t size);

//  Returns new: an alert with this id and the alert.v1 of the golden alert.
weft_alert_t *stage_golden (int64_t id);

//  Reads the numbers at the start of each line of a file into a bitmap of
//  `most` bits; a missing file is an empty one. Returns how many are set.
int64_t stage_read_ids (const char *path, uint8_t *bits, int64_t most);

#endif
