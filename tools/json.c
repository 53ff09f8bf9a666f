/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON as it is printed: a thin layer over yajl's streaming generator. */
#include "json.h"

#include <glib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#include "digits.h"

/* The pages of a huge transfer need not all be in memory at once. */
#define PRINT_AT 65536

struct json {
    yajl_gen gen;
    bool pretty;
    bool for_html;
};

struct json *json_new(bool pretty)
{
    struct json *j = g_new0(struct json, 1);

    j->gen = yajl_gen_alloc(NULL);
    if (!j->gen)
        g_error("out of memory");
    j->pretty = pretty;
    yajl_gen_config(j->gen, yajl_gen_beautify, pretty);
    yajl_gen_config(j->gen, yajl_gen_indent_string, "  ");
    return j;
}

struct json *json_new_for_html(void)
{
    struct json *j = json_new(false);

    j->for_html = true;
    return j;
}

void json_free(struct json *j)
{
    if (!j)
        return;
    yajl_gen_free(j->gen);
    g_free(j);
}

/* "<" can only stand in a string. */
static void print_for_html(const unsigned char *text, size_t len)
{
    const unsigned char *less;

    while ((less = memchr(text, '<', len))) {
        fwrite(text, 1, (size_t)(less - text), stdout);
        fputs("\\u003c", stdout);
        len -= (size_t)(less + 1 - text);
        text = less + 1;
    }
    fwrite(text, 1, len, stdout);
}

static void print(struct json *j)
{
    const unsigned char *text;
    size_t len;

    yajl_gen_get_buf(j->gen, &text, &len);
    if (j->for_html)
        print_for_html(text, len);
    else
        fwrite(text, 1, len, stdout);
    yajl_gen_clear(j->gen);
}

void json_end_document(struct json *j)
{
    print(j);
    if (!j->pretty) /* yajl ends a pretty one's line itself */
        putc('\n', stdout);
    yajl_gen_reset(j->gen, NULL);
}

void json_begin_object(struct json *j)
{
    yajl_gen_map_open(j->gen);
}

void json_end_object(struct json *j)
{
    const unsigned char *text;
    size_t len;

    yajl_gen_map_close(j->gen);
    yajl_gen_get_buf(j->gen, &text, &len);
    if (len >= PRINT_AT)
        print(j);
}

void json_begin_array(struct json *j)
{
    yajl_gen_array_open(j->gen);
}

void json_end_array(struct json *j)
{
    yajl_gen_array_close(j->gen);
}

void json_key(struct json *j, const char *key)
{
    yajl_gen_string(j->gen, (const unsigned char *)key, strlen(key));
}

void json_string(struct json *j, const char *text)
{
    g_autofree char *valid = NULL;

    if (!text)
        text = "";
    if (!g_utf8_validate(text, -1, NULL))
        text = valid = g_utf8_make_valid(text, -1);
    yajl_gen_string(j->gen, (const unsigned char *)text, strlen(text));
}

/* Between quotes, as a value that needs no escapes. */
void json_hex(struct json *j, const uint8_t *bytes, size_t len)
{
    g_autofree char *heap = NULL;
    char stack[256];
    char *text = stack, *p;

    if (2 * len + 2 > sizeof(stack))
        text = heap = g_malloc(2 * len + 2);
    *text = '"';
    p = put_hex_bytes(text + 1, bytes, len);
    *p++ = '"';
    json_raw(j, text, (size_t)(p - text));
}

/* yajl prints a "number" as it is, whatever it is. */
void json_raw(struct json *j, const char *text, size_t len)
{
    yajl_gen_number(j->gen, text, len);
}

/* Not yajl_gen_integer(): it is signed. */
void json_uint(struct json *j, uint64_t value)
{
    char text[DECIMAL_MAX];

    json_raw(j, text, (size_t)(put_decimal(text, value) - text));
}

void json_double(struct json *j, double value)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];

    g_ascii_formatd(text, sizeof(text), "%.6g", isfinite(value) ? value : 0);
    yajl_gen_number(j->gen, text, strlen(text));
}

void json_bool(struct json *j, bool value)
{
    yajl_gen_bool(j->gen, value);
}

void json_key_string(struct json *j, const char *key, const char *text)
{
    json_key(j, key);
    json_string(j, text);
}

void json_key_uint(struct json *j, const char *key, uint64_t value)
{
    json_key(j, key);
    json_uint(j, value);
}

void json_key_double(struct json *j, const char *key, double value)
{
    json_key(j, key);
    json_double(j, value);
}
