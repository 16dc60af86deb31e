//  weft_golden.h - a plain alert, for the canary of stages that read alert.v1.
//
//  A stage that has not finished an alert yet proves with it that it works,
//  before it says that an alert is bad. Any thread.

#ifndef WEFT_GOLDEN_H_INCLUDED
#define WEFT_GOLDEN_H_INCLUDED

#include "weft_alert.h"

//  Returns new: an envelope and an alert.v1 of ZTF's kind with five points in
//  two bands. NULL without memory.
WEFT_NEW weft_alert_t *weft_golden_alert (void);

#endif
