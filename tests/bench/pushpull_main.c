//  pushpull_main - the peer of the link's bench: PUSH/PULL, which guarantees
//  nothing.
//
//     pushpull_main - OUT COUNT SIZE     binds OUT, sends COUNT messages
//     pushpull_main IN OUT               forwards for ever
//     pushpull_main IN - COUNT           prints the seconds that the last 90 %
//                                        took to arrive

#include <zmq.h>

#include "weft_time.h"

enum { ENVELOPE = 160, HWM = 256 };

static void *
open_socket (void *context, int type, const char *endpoint)
{
    void *socket = zmq_socket (context, type);
    int hwm = HWM;
    zmq_setsockopt (socket, ZMQ_SNDHWM, &hwm, sizeof hwm);
    zmq_setsockopt (socket, ZMQ_RCVHWM, &hwm, sizeof hwm);
    int bad = type == ZMQ_PUSH ? zmq_bind (socket, endpoint)
                               : zmq_connect (socket, endpoint);
    if (bad) {
        fprintf (stderr, "%s: %s\n", endpoint, zmq_strerror (zmq_errno ()));
        exit (1);
    }
    return socket;
}

static void
send_all (void *out, int count, size_t size)
{
    char *bytes = calloc (1, size);
    for (int i = 0; bytes && i < count; i++)
        if (zmq_send (out, bytes, ENVELOPE, ZMQ_SNDMORE) < 0 ||
            zmq_send (out, bytes, size, 0) < 0)
            exit (1);
    free (bytes);
}

//  One message's parts; passed on if there is an `out`.
static void
take (void *in, void *out)
{
    int more = 1;
    while (more) {
        zmq_msg_t part;
        zmq_msg_init (&part);
        if (zmq_msg_recv (&part, in, 0) < 0)
            exit (1);
        more = zmq_msg_more (&part);
        if (!out)
            zmq_msg_close (&part);
        else if (zmq_msg_send (&part, out, more ? ZMQ_SNDMORE : 0) < 0)
            exit (1);
    }
}

int
main (int argc, char *argv[])
{
    void *context = zmq_ctx_new ();
    if (argc == 5) {
        void *out = open_socket (context, ZMQ_PUSH, argv[2]);
        send_all (out, (int)strtol (argv[3], NULL, 10),
                  strtoul (argv[4], NULL, 10));
        zmq_close (out);
    } else if (argc == 3) {
        void *in = open_socket (context, ZMQ_PULL, argv[1]);
        void *out = open_socket (context, ZMQ_PUSH, argv[2]);
        for (;;)
            take (in, out);
    } else if (argc == 4) {
        void *in = open_socket (context, ZMQ_PULL, argv[1]);
        int64_t from = 0;
        int count = (int)strtol (argv[3], NULL, 10);
        for (int i = 0; i < count; i++) {
            take (in, NULL);
            if (i == count / 10)
                from = weft_time_ns ();
        }
        printf ("%.6f\n", (double)(weft_time_ns () - from) * 1e-9);
        zmq_close (in);
    } else {
        return 2;
    }
    zmq_ctx_term (context);
    return 0;
}
