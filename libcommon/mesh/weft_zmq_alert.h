//  weft_zmq_alert.h - alerts to ZeroMQ messages and back, by reference.
//
//  Private to libcommon/mesh. Same thread as the socket; the references that
//  libzmq holds are dropped by its I/O thread.

#ifndef WEFT_ZMQ_ALERT_H_INCLUDED
#define WEFT_ZMQ_ALERT_H_INCLUDED

#include <zmq.h>

#include "weft_alert.h"

//  Sends header bytes (copied) and, unless `alert` is NULL, its frames by
//  reference, all behind what was sent before with SNDMORE. 0, or what errno
//  says: WEFT_EDOWN (the peer is gone), WEFT_EAGAIN (nothing was sent).
WEFT_CHECK int weft_zmq_send (void *socket,
                              const void *header,
                              size_t size,
                              const weft_alert_t *alert);

//  Sends one part with more to follow.
WEFT_CHECK int weft_zmq_send_part (void *socket, const void *data, size_t size);

//  Receives one part without waiting: 0 or WEFT_EAGAIN. `part` is initialised
//  and keeps what it had until then.
WEFT_CHECK int weft_zmq_recv_part (void *socket, zmq_msg_t *part, bool *more);

//  Receives the parts that follow, while *more, as one alert: returns new, NULL
//  if there is none or they are no alert. All parts are read in any case.
//  *rc: 0 also where there is none; what is wrong with the parts, by class; or
//  WEFT_ENOMEM.
WEFT_NEW weft_alert_t *weft_zmq_recv_alert (void *socket, bool more, int *rc);

#endif
