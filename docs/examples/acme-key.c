/* Acme's key and the caller's tenant, each in a header: a Countersign profile type in C, without any library.
   cc -O2 -o acme-key acme-key.c */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 64 /* profiles */

static const char TYPES[] =
    "[{\"type\":\"acme-key\",\"summary\":\"Acme's key and the caller's tenant, each in a header\",\"schema\":{"
    "\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\",\"properties\":{"
    "\"key\":{\"description\":\"Acme's key.\",\"type\":\"string\",\"minLength\":1,\"writeOnly\":true}},"
    "\"required\":[\"key\"],\"additionalProperties\":false}}]";

/* The end of the JSON value that begins at `at`; the host writes no white space between its parts. */
static const char *end_of(const char *at) {
    int depth = 0;
    for (; *at; at++) {
        if (*at == '"') {
            for (at++; *at && *at != '"'; at++)
                if (*at == '\\' && at[1]) at++;
            if (!*at) return at;
        } else if (*at == '{' || *at == '[') {
            depth++;
        } else if (*at == '}' || *at == ']') {
            if (!depth) return at;
            depth--;
        } else if (*at == ',' && !depth) {
            return at;
        }
        if (!depth && (at[1] == ',' || at[1] == '}' || at[1] == ']' || !at[1])) return at + 1;
    }
    return at;
}

/* A copy of the value of a key of the JSON object that begins at `object`, as it is written; NULL if it has no such key. */
static char *value_of(const char *object, const char *key) {
    size_t length = strlen(key);
    if (!object || *object != '{') return NULL;
    for (const char *at = object + 1; *at == '"';) {
        const char *name = at + 1, *colon = name;
        while (*colon && *colon != '"') colon += *colon == '\\' && colon[1] ? 2 : 1;
        if (colon[0] != '"' || colon[1] != ':') return NULL;
        const char *value = colon + 2, *end = end_of(value);
        if ((size_t)(colon - name) == length && !strncmp(name, key, length)) return strndup(value, end - value);
        at = *end == ',' ? end + 1 : end;
    }
    return NULL;
}

static void failed(const char *id, const char *kind, const char *message, const char *more) {
    printf("{\"error\":{\"id\":%s,\"error\":{\"kind\":\"%s\",\"message\":\"%s\"%s}}}\n", id, kind, message, more);
}

/* Texts stay as they are written in JSON: what comes in as a string goes out as one. */
static struct { char *number, *key; } profiles[MOST];

static int index_of(const char *number) {
    for (int i = 0; number && i < MOST; i++)
        if (profiles[i].number && !strcmp(profiles[i].number, number)) return i;
    return -1;
}

static void forget(int i) {
    explicit_bzero(profiles[i].key, strlen(profiles[i].key)); /* a secret */
    free(profiles[i].number), free(profiles[i].key);
    profiles[i].number = profiles[i].key = NULL;
}

static void create(const char *id, const char *ask) {
    char *settings = value_of(ask, "settings"), *key = value_of(settings, "key");
    int free_one = 0;
    while (free_one < MOST && profiles[free_one].number) free_one++;
    if (!key || *key != '"' || !strcmp(key, "\"\"")) {
        failed(id, "config", "is not a text with something in it; give Acme's key", ",\"field\":\"key\"");
        free(key);
    } else if (free_one == MOST) {
        failed(id, "internal", "there are too many profiles", "");
        free(key);
    } else {
        profiles[free_one].number = value_of(ask, "profile"), profiles[free_one].key = key;
        printf("{\"created\":{\"id\":%s,\"inputs\":{\"caller\":[\"tenant\"]}}}\n", id);
    }
    if (settings) explicit_bzero(settings, strlen(settings)), free(settings);
}

static void start(const char *id, const char *ask) {
    char *number = value_of(ask, "profile"), *input = value_of(ask, "input");
    char *caller = value_of(input, "caller"), *tenant = value_of(caller, "tenant");
    int i = index_of(number);
    if (i < 0)
        failed(id, "internal", "there is no such profile", "");
    else if (!tenant)
        printf("{\"step\":{\"id\":%s,\"step\":{\"failed\":{\"kind\":\"config\","
               "\"message\":\"the caller has no attribute `tenant`\"}}}}\n", id);
    else
        printf("{\"step\":{\"id\":%s,\"step\":{\"done\":{\"placements\":["
               "{\"place\":\"header\",\"name\":\"x-acme-key\",\"value\":%s},"
               "{\"place\":\"header\",\"name\":\"x-acme-tenant\",\"value\":%s}],"
               "\"lifetime\":\"until-rejected\"}}}}\n", id, profiles[i].key, tenant);
    free(number), free(input), free(caller), free(tenant);
}

int main(void) {
    char *line = NULL;
    size_t room = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (ssize_t length; (length = getline(&line, &room, stdin)) > 0;) {
        if (line[length - 1] == '\n') line[--length] = 0;
        char name[32] = "", *ask = NULL, *id;
        if (sscanf(line, "{\"%31[a-z-]\":", name) == 1) ask = value_of(line, name);
        id = value_of(ask, "id");
        if (!strcmp(name, "hello")) {
            puts("{\"hello\":{\"protocol\":\"1.0\",\"name\":\"acme-key\",\"version\":\"1.0.0\"}}");
        } else if (!strcmp(name, "forget")) {
            char *number = value_of(ask, "profile");
            int i = index_of(number);
            if (i >= 0) forget(i);
            free(number);
        } else if (id && !strcmp(name, "manifest")) {
            printf("{\"types\":{\"id\":%s,\"types\":%s}}\n", id, TYPES);
        } else if (id && !strcmp(name, "create")) {
            create(id, ask);
        } else if (id && !strcmp(name, "start")) {
            start(id, ask);
        } else if (id && !strcmp(name, "public-keys")) {
            printf("{\"keys\":{\"id\":%s,\"keys\":[]}}\n", id);
        } else if (id) {
            failed(id, "unsupported", "this plugin does not know the message", "");
        }
        free(id);
        if (ask) explicit_bzero(ask, strlen(ask)), free(ask);
        explicit_bzero(line, length);
    }
    return 0;
}
