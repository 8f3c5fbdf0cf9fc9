#pragma once
#include <curl/curl.h>

// Swift imports no variadic functions: one for each type of value. The parentheses keep curl's type-checking macros away.
static inline CURLcode ccurl_set_long(CURL *handle, CURLoption option, long value) {
    return (curl_easy_setopt)(handle, option, value);
}

// libcurl copies strings.
static inline CURLcode ccurl_set_text(CURL *handle, CURLoption option, const char *value) {
    return (curl_easy_setopt)(handle, option, value);
}

static inline CURLcode ccurl_set_list(CURL *handle, CURLoption option, struct curl_slist *value) {
    return (curl_easy_setopt)(handle, option, value);
}

static inline CURLcode ccurl_set_bytes(CURL *handle, const void *bytes, long count) {
    (curl_easy_setopt)(handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)count);
    return (curl_easy_setopt)(handle, CURLOPT_COPYPOSTFIELDS, bytes);
}

typedef size_t (*ccurl_transfer)(char *bytes, size_t size, size_t count, void *context);
typedef int (*ccurl_progress)(
    void *context, curl_off_t toLoad, curl_off_t loaded, curl_off_t toSend, curl_off_t sent);

// The functions that libcurl calls during a transfer, all with the same context.
static inline void ccurl_set_calls(
    CURL *handle, ccurl_transfer take, ccurl_transfer give, ccurl_progress progress, void *context) {
    (curl_easy_setopt)(handle, CURLOPT_WRITEFUNCTION, take);
    (curl_easy_setopt)(handle, CURLOPT_WRITEDATA, context);
    (curl_easy_setopt)(handle, CURLOPT_READFUNCTION, give);
    (curl_easy_setopt)(handle, CURLOPT_READDATA, context);
    (curl_easy_setopt)(handle, CURLOPT_XFERINFOFUNCTION, progress);
    (curl_easy_setopt)(handle, CURLOPT_XFERINFODATA, context);
    (curl_easy_setopt)(handle, CURLOPT_NOPROGRESS, 0L);
}

static inline long ccurl_response(CURL *handle) {
    long code = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &code);
    return code;
}
