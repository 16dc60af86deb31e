//  weft_alert.h - one alert on its way: an envelope and its sections.
//
//  A stage gets one, reads the sections that it needs and appends its own;
//  the frames before it go on untouched, by reference. The alert itself is
//  counted by references too, as the link keeps it until it is settled.
//  The counts are atomic; reading is for the thread that works on the alert.

#ifndef WEFT_ALERT_H_INCLUDED
#define WEFT_ALERT_H_INCLUDED

#include "weft_contracts.h"
#include "weft_frame.h"

#define WEFT_ALERT_SECTIONS 12        //  most sections behind the envelope
#define WEFT_SECTION_MOST (8u << 20)  //  most bytes of one section

typedef struct weft_alert weft_alert_t;

//  Returns new: an alert of this envelope frame. Takes `envelope`, also when it
//  fails: NULL without memory or if the bytes are no envelope.v1.
WEFT_NEW weft_alert_t *weft_alert_new (weft_frame_t *envelope);

WEFT_NEW weft_alert_t *weft_alert_ref (weft_alert_t *self);

//  Drops a reference and sets *self_p to NULL. Safe on NULL.
void weft_alert_unref (weft_alert_t **self_p);

//  The decoded envelope. Borrows until the last reference goes.
const weft_envelope_v1_t *weft_alert_envelope (const weft_alert_t *self);

//  Appends a section. Takes `section`, also on error: WEFT_ETOOBIG if there
//  are too many. Only before the alert is shared.
WEFT_CHECK int weft_alert_append (weft_alert_t *self, weft_frame_t *section);

//  Returns new: the same frames by reference in an alert of its own, to which
//  a section can be appended. NULL without memory.
WEFT_NEW weft_alert_t *weft_alert_fork (const weft_alert_t *self);

//  Frames in order, envelope first.
size_t weft_alert_frames (const weft_alert_t *self);
weft_frame_t *weft_alert_frame (const weft_alert_t *self, size_t index);

//  Bytes of all frames together: what the link's window counts.
size_t weft_alert_size (const weft_alert_t *self);

//  Decodes the newest section of a contract into its struct. WEFT_EABSENT if
//  there is none. What it holds borrows until the last reference goes.
WEFT_CHECK int weft_alert_read (const weft_alert_t *self,
                                const weft_contract_t *contract,
                                void *record);

//  All frames in one run of bytes, for pipes and dead letters: u32 count, then
//  u32 size and bytes of each, little-endian. Parsing checks every length;
//  returns new, NULL if the bytes are no alert.
void weft_alert_flatten (const weft_alert_t *self, weft_buf_t *out);
WEFT_NEW weft_alert_t *weft_alert_parse (const void *data, size_t size);

#endif
