/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON as it is printed: a thin layer over yajl's streaming generator, chosen
 * because it is four times as fast as building objects with jansson, and
 * prints the whole range of uint64_t (a guest may name any address).
 */
#ifndef TOOLS_JSON_H
#define TOOLS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json;

/* pretty: indented, for one document; otherwise one object a line. */
struct json *json_new(bool pretty);
/* For a script element of an HTML page: no text in it can end the element. */
struct json *json_new_for_html(void);
void json_free(struct json *j);

/* Print what was generated and a newline on stdout, and start anew. */
void json_end_document(struct json *j);

void json_begin_object(struct json *j);
void json_end_object(struct json *j);
void json_begin_array(struct json *j);
void json_end_array(struct json *j);

/* A member's name; the value follows. Names are ours: plain ASCII. */
void json_key(struct json *j, const char *key);

void json_string(struct json *j, const char *text); /* any bytes: made valid */
void json_hex(struct json *j, const uint8_t *bytes, size_t len);
void json_uint(struct json *j, uint64_t value);
/* A value whose JSON is there already, on one line. */
void json_raw(struct json *j, const char *text, size_t len);
void json_double(struct json *j, double value);
void json_bool(struct json *j, bool value);

/* Name and value in one. */
void json_key_string(struct json *j, const char *key, const char *text);
void json_key_uint(struct json *j, const char *key, uint64_t value);
void json_key_double(struct json *j, const char *key, double value);

#endif
