//  weft_record.h - what filters saw, and what they said, for some nights.
//
//  So that somebody can ask days later why an alert was sent or was not. A
//  folder of segments that are only appended to, oldest deleted first:
//
//     NNNNNNNN.seg   alerts as weft_alert_flatten writes them, without the
//                    sections that filters do not see; a byte per filter behind
//                    each: what it said (weft_said_t)
//     NNNNNNNN.idx   40 bytes each: where, which alert, which filters
//     V.json         the filters of version V, as they stood
//
//  Written after the alert's effects, in one go per turn, not synced: a killed
//  process loses nothing, a lost machine the last seconds. What cannot be
//  written is counted, and nobody waits for it. One writer, the owner of the
//  outbox; any number of readers. One thread each.

#ifndef WEFT_RECORD_H_INCLUDED
#define WEFT_RECORD_H_INCLUDED

#include "weft_alert.h"
#include "weft_buf.h"

//  What a filter said of an alert when it came.
typedef enum {
    WEFT_SAID_NO,
    WEFT_SAID_YES,
    WEFT_SAID_FAILED,
    WEFT_SAID_QUARANTINED,
} weft_said_t;

typedef struct {
    int64_t alert_id;
    int32_t night;
    uint32_t survey;   //  weft_record_survey
    uint64_t version;  //  of the filters
    uint64_t offset;
    uint32_t size;     //  of the alert, the bytes behind it aside
    uint16_t filters;  //  how many bytes those are
    uint32_t segment;
} weft_record_entry_t;

typedef struct weft_record weft_record_t;

//  Returns new in *out. `bytes` is what all segments may take, `nights` how many
//  are kept. WEFT_EDOWN with `why` if the folder cannot be made or used.
WEFT_CHECK int weft_record_open (weft_record_t **out,
                                 const char *folder,
                                 int64_t bytes,
                                 int32_t nights,
                                 char *why,
                                 size_t room);
void weft_record_close (weft_record_t **self_p);

void weft_record_limit (weft_record_t *self, int64_t bytes, int32_t nights);

//  Keeps the text of a version of the filters, if it is not there yet.
WEFT_CHECK int weft_record_filters (weft_record_t *self,
                                    uint64_t version,
                                    const weft_buf_t *json);

//  Adds an alert; written by the next flush. `said` has a byte per filter.
void weft_record_add (weft_record_t *self,
                      const weft_alert_t *alert,
                      uint64_t version,
                      const uint8_t *said,
                      uint32_t n);
//  Writes what was added. Alerts that could not be written: *lost.
WEFT_CHECK int weft_record_flush (weft_record_t *self, uint64_t *lost);

uint32_t weft_record_survey (weft_str_t survey);

//  Returns new (free) in *out: all entries of a folder, oldest first.
WEFT_CHECK int
weft_record_list (const char *folder, weft_record_entry_t **out, size_t *n);

//  Returns new in *alert, and what the filters said (`said` holds
//  entry->filters bytes). WEFT_ENOENT: deleted meanwhile; WEFT_EMALFORMED.
WEFT_CHECK int weft_record_read (const char *folder,
                                 const weft_record_entry_t *entry,
                                 weft_alert_t **alert,
                                 uint8_t *said);

//  Returns new (free): the text of a version's filters, NULL if it is gone.
WEFT_NEW char *weft_record_filters_text (const char *folder, uint64_t version);

#endif
