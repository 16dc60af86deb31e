//  weft_link_frame.c - encoder and bounded decoder of the link header.
//
//  Both walk the same layout with a cursor that knows its end: the offsets
//  stand in proto/link.v1.md. Numbers are little-endian.

#include "weft_link_frame.h"

enum {
    MAGIC_0 = 'W',
    MAGIC_1 = 'L',
    FLAG_SUSPECT = 1,
};

//  What is left of the bytes. A read beyond the end sets `error`, which
//  sticks, and yields zeros.
typedef struct {
    const uint8_t *at;
    const uint8_t *end;
    int error;
} reader_t;

static const uint8_t *
take (reader_t *reader, size_t size)
{
    static const uint8_t zeros[WEFT_LINK_WORKER_SIZE];
    assert (size <= sizeof zeros);
    if (reader->error || (size_t)(reader->end - reader->at) < size) {
        reader->error = reader->error ? reader->error : WEFT_ETRUNCATED;
        return zeros;
    }
    const uint8_t *bytes = reader->at;
    reader->at += size;
    return bytes;
}

static uint8_t
take_u8 (reader_t *reader)
{
    return *take (reader, 1);
}

static uint16_t
take_u16 (reader_t *reader)
{
    return weft_get_u16 (take (reader, 2));
}

static uint32_t
take_u32 (reader_t *reader)
{
    return weft_get_u32 (take (reader, 4));
}

static uint64_t
take_u64 (reader_t *reader)
{
    return weft_get_u64 (take (reader, 8));
}

static void
refuse (reader_t *reader, int rc)
{
    if (!reader->error)
        reader->error = rc;
}

static weft_link_text_t
take_text (reader_t *reader, size_t ceiling)
{
    size_t size = take_u8 (reader);
    if (size > ceiling)
        refuse (reader, WEFT_ETOOBIG);
    else if ((size_t)(reader->end - reader->at) < size)
        refuse (reader, WEFT_ETRUNCATED);
    if (reader->error)
        return (weft_link_text_t){ "", 0 };
    weft_link_text_t text = { (const char *)reader->at, size };
    reader->at += size;
    return text;
}

//  Names go to logs, keys and metrics unescaped, so they are plain.
static bool
is_name (weft_link_text_t text)
{
    if (text.size == 0 || text.size > WEFT_LINK_NAME_MAX)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
              c == '.' || c == '_'))
            return false;
    }
    return true;
}

static weft_link_text_t
take_name (reader_t *reader)
{
    weft_link_text_t name = take_text (reader, WEFT_LINK_NAME_MAX);
    if (!reader->error && !is_name (name))
        refuse (reader, WEFT_EMALFORMED);
    return name;
}

static void
take_hello (reader_t *reader, weft_link_frame_t *frame)
{
    frame->nonce = take_u64 (reader);
    frame->boot = take_u64 (reader);
    frame->hash = take_u64 (reader);
    frame->largest = take_u32 (reader);
    frame->beat_ms = take_u32 (reader);
    frame->stall_ms = take_u32 (reader);
    frame->stage = take_name (reader);
    frame->contract_count = take_u8 (reader);
    if (frame->contract_count > WEFT_LINK_CONTRACTS_MAX) {
        refuse (reader, WEFT_ETOOBIG);
        frame->contract_count = 0;
    }
    for (uint32_t i = 0; i < frame->contract_count; i++)
        frame->contracts[i] = take_name (reader);
    if (frame->boot == 0 || frame->beat_ms == 0 || frame->stall_ms == 0)
        refuse (reader, WEFT_ERANGE);
}

static void
take_runs (reader_t *reader, weft_link_frame_t *frame, uint8_t code_max)
{
    frame->run_count = take_u16 (reader);
    if (frame->run_count == 0)
        refuse (reader, WEFT_ERANGE);
    if (frame->run_count > WEFT_LINK_RUNS_MAX)
        refuse (reader, WEFT_ETOOBIG);
    frame->runs = reader->at;
    for (uint32_t i = 0; i < frame->run_count && !reader->error; i++) {
        const uint8_t *run = take (reader, WEFT_LINK_RUN_SIZE);
        uint64_t first = weft_get_u64 (run);
        uint32_t count = weft_get_u32 (run + 8);
        if (first == 0 || count == 0 || first > UINT64_MAX - count)
            refuse (reader, WEFT_ERANGE);
        if (run[12] > code_max || run[13] || run[14] || run[15])
            refuse (reader, WEFT_EMALFORMED);
    }
    if (reader->error)
        frame->run_count = 0;
}

static void
take_reject (reader_t *reader, weft_link_frame_t *frame)
{
    frame->seq = take_u64 (reader);
    frame->code = (int32_t)take_u32 (reader);
    frame->reason = take_text (reader, WEFT_LINK_REASON_MAX);
    if (frame->seq == 0 || frame->code >= 0 || frame->code < -32767)
        refuse (reader, WEFT_ERANGE);
}

static void
take_welcome (reader_t *reader, weft_link_frame_t *frame)
{
    frame->nonce = take_u64 (reader);
    frame->boot = take_u64 (reader);
    frame->largest = take_u32 (reader);
    frame->beat_ms = take_u32 (reader);
    if (frame->boot == 0 || frame->beat_ms == 0)
        refuse (reader, WEFT_ERANGE);
}

static void
take_refuse (reader_t *reader, weft_link_frame_t *frame)
{
    frame->nonce = take_u64 (reader);
    frame->code = take_u16 (reader);
    frame->reason = take_text (reader, WEFT_LINK_REASON_MAX);
    if (frame->code < WEFT_REFUSE_STAGE || frame->code > WEFT_REFUSE_FULL)
        refuse (reader, WEFT_ERANGE);
}

static void
take_worker (reader_t *reader, weft_link_frame_t *frame)
{
    frame->done = take_u64 (reader);
    frame->limit = take_u32 (reader);
    frame->limit_version = take_u32 (reader);
    frame->limit_bytes = take_u64 (reader);
}

static void
take_upstream (reader_t *reader, weft_link_frame_t *frame)
{
    frame->echo = take_u32 (reader);
    frame->attempt = take_u16 (reader);
    if (take_u16 (reader))
        refuse (reader, WEFT_EMALFORMED);
    frame->seq = take_u64 (reader);
    bool alert = frame->type == WEFT_LINK_ALERT;
    if (alert ? frame->seq == 0 : frame->seq != 0 || frame->attempt != 0)
        refuse (reader, WEFT_ERANGE);
}

static void
take_body (reader_t *reader, weft_link_frame_t *frame)
{
    switch (frame->type) {
    case WEFT_LINK_HELLO:
        take_hello (reader, frame);
        break;
    case WEFT_LINK_SETTLE:
        take_runs (reader, frame, WEFT_OUTCOME_DEAD);
        break;
    case WEFT_LINK_RETRY:
        take_runs (reader, frame, 0);
        break;
    case WEFT_LINK_REJECT:
        take_reject (reader, frame);
        break;
    case WEFT_LINK_WELCOME:
        take_welcome (reader, frame);
        break;
    case WEFT_LINK_REFUSE:
        take_refuse (reader, frame);
        break;
    case WEFT_LINK_BEAT:
    case WEFT_LINK_DRAIN:
    case WEFT_LINK_BYE:
    case WEFT_LINK_ALERT:
    case WEFT_LINK_UP_BEAT:
    case WEFT_LINK_RESET:
    case WEFT_LINK_UP_BYE:
        break;
    default:
        refuse (reader, WEFT_EMALFORMED);
    }
}

static bool
has_no_session (weft_link_type_t type)
{
    return type == WEFT_LINK_HELLO || type == WEFT_LINK_REFUSE;
}

int
weft_link_decode (weft_link_frame_t *frame, const void *data, size_t size)
{
    memset (frame, 0, sizeof *frame);
    reader_t reader = { data, (const uint8_t *)data + size, 0 };
    const uint8_t *head = take (&reader, 8);
    if (reader.error)
        return reader.error;
    if (head[0] != MAGIC_0 || head[1] != MAGIC_1)
        return WEFT_EMALFORMED;
    if (head[2] != WEFT_LINK_VERSION)
        return WEFT_EVERSION;
    frame->type = head[3];
    frame->suspect = head[4] & FLAG_SUSPECT;
    uint8_t flags = frame->type == WEFT_LINK_ALERT ? FLAG_SUSPECT : 0;
    if ((head[4] & ~flags) || head[5] || head[6] || head[7])
        return WEFT_EMALFORMED;
    frame->session = take_u64 (&reader);
    if (weft_link_from_worker (frame->type))
        take_worker (&reader, frame);
    else
        take_upstream (&reader, frame);
    take_body (&reader, frame);
    if (!reader.error && reader.at != reader.end)
        return WEFT_EMALFORMED;
    if (!reader.error && has_no_session (frame->type) != (frame->session == 0))
        return WEFT_ERANGE;
    return reader.error;
}

//  Where the next byte goes. What does not fit sets `error`, which sticks.
typedef struct {
    uint8_t *at;
    uint8_t *end;
    int error;
} writer_t;

static uint8_t *
give (writer_t *writer, size_t size)
{
    static uint8_t nowhere[WEFT_LINK_WORKER_SIZE];
    assert (size <= sizeof nowhere);
    if (writer->error || (size_t)(writer->end - writer->at) < size) {
        writer->error = writer->error ? writer->error : WEFT_ETOOBIG;
        return nowhere;
    }
    uint8_t *bytes = writer->at;
    writer->at += size;
    return bytes;
}

static void
give_u8 (writer_t *writer, uint8_t value)
{
    *give (writer, 1) = value;
}

static void
give_u16 (writer_t *writer, uint16_t value)
{
    uint8_t *bytes = give (writer, 2);
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
}

static void
give_u32 (writer_t *writer, uint32_t value)
{
    weft_put_u32 (give (writer, 4), value);
}

static void
give_u64 (writer_t *writer, uint64_t value)
{
    weft_put_u64 (give (writer, 8), value);
}

static void
give_bytes (writer_t *writer, const void *data, size_t size)
{
    if (writer->error || (size_t)(writer->end - writer->at) < size) {
        writer->error = writer->error ? writer->error : WEFT_ETOOBIG;
        return;
    }
    if (size > 0)
        memcpy (writer->at, data, size);
    writer->at += size;
}

static void
give_text (writer_t *writer, weft_link_text_t text, size_t ceiling)
{
    if (text.size > ceiling) {
        writer->error = WEFT_ERANGE;
        return;
    }
    give_u8 (writer, (uint8_t)text.size);
    give_bytes (writer, text.data, text.size);
}

static void
give_name (writer_t *writer, weft_link_text_t text)
{
    if (!is_name (text))
        writer->error = WEFT_ERANGE;
    else
        give_text (writer, text, WEFT_LINK_NAME_MAX);
}

static void
give_hello (writer_t *writer, const weft_link_frame_t *frame)
{
    give_u64 (writer, frame->nonce);
    give_u64 (writer, frame->boot);
    give_u64 (writer, frame->hash);
    give_u32 (writer, frame->largest);
    give_u32 (writer, frame->beat_ms);
    give_u32 (writer, frame->stall_ms);
    give_name (writer, frame->stage);
    if (frame->contract_count > WEFT_LINK_CONTRACTS_MAX) {
        writer->error = WEFT_ERANGE;
        return;
    }
    give_u8 (writer, (uint8_t)frame->contract_count);
    for (uint32_t i = 0; i < frame->contract_count; i++)
        give_name (writer, frame->contracts[i]);
}

static void
give_body (writer_t *writer, const weft_link_frame_t *frame)
{
    switch (frame->type) {
    case WEFT_LINK_HELLO:
        give_hello (writer, frame);
        break;
    case WEFT_LINK_SETTLE:
    case WEFT_LINK_RETRY:
        give_u16 (writer, (uint16_t)frame->run_count);
        give_bytes (writer, frame->runs,
                    (size_t)frame->run_count * WEFT_LINK_RUN_SIZE);
        break;
    case WEFT_LINK_REJECT:
        give_u64 (writer, frame->seq);
        give_u32 (writer, (uint32_t)frame->code);
        give_text (writer, frame->reason, WEFT_LINK_REASON_MAX);
        break;
    case WEFT_LINK_WELCOME:
        give_u64 (writer, frame->nonce);
        give_u64 (writer, frame->boot);
        give_u32 (writer, frame->largest);
        give_u32 (writer, frame->beat_ms);
        break;
    case WEFT_LINK_REFUSE:
        give_u64 (writer, frame->nonce);
        give_u16 (writer, (uint16_t)frame->code);
        give_text (writer, frame->reason, WEFT_LINK_REASON_MAX);
        break;
    default:
        break;
    }
}

static void
give_fixed (writer_t *writer, const weft_link_frame_t *frame)
{
    const uint8_t head[8] = { MAGIC_0, MAGIC_1, WEFT_LINK_VERSION,
                              (uint8_t)frame->type,
                              frame->suspect ? FLAG_SUSPECT : 0 };
    give_bytes (writer, head, sizeof head);
    give_u64 (writer, frame->session);
    if (weft_link_from_worker (frame->type)) {
        give_u64 (writer, frame->done);
        give_u32 (writer, frame->limit);
        give_u32 (writer, frame->limit_version);
        give_u64 (writer, frame->limit_bytes);
    } else {
        give_u32 (writer, frame->echo);
        give_u16 (writer, frame->attempt);
        give_u16 (writer, 0);
        give_u64 (writer, frame->seq);
    }
}

int
weft_link_encode (const weft_link_frame_t *frame, void *out, size_t room)
{
    writer_t writer = { out, (uint8_t *)out + room, 0 };
    if (frame->run_count > WEFT_LINK_RUNS_MAX)
        return WEFT_ERANGE;
    give_fixed (&writer, frame);
    give_body (&writer, frame);
    if (writer.error)
        return writer.error;
    return (int)(writer.at - (uint8_t *)out);
}

weft_link_run_t
weft_link_run (const weft_link_frame_t *frame, uint32_t index)
{
    assert (index < frame->run_count);
    const uint8_t *run = frame->runs + (size_t)index * WEFT_LINK_RUN_SIZE;
    return (weft_link_run_t){ .first = weft_get_u64 (run),
                              .count = weft_get_u32 (run + 8),
                              .code = run[12] };
}

void
weft_link_put_run (uint8_t out[WEFT_LINK_RUN_SIZE], const weft_link_run_t *run)
{
    memset (out, 0, WEFT_LINK_RUN_SIZE);
    weft_put_u64 (out, run->first);
    weft_put_u32 (out + 8, run->count);
    out[12] = run->code;
}

const char *
weft_link_type_name (weft_link_type_t type)
{
    switch (type) {
#define X(name, code)                                                          \
    case WEFT_LINK_##name:                                                     \
        return #name;
        WEFT_LINK_TYPES (X)
#undef X
    default:
        return "?";
    }
}
