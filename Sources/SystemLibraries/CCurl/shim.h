// Imports the system library libcurl. Its options are set by functions of variable arguments, which Swift does not see: one
// function for each kind of value.
#include <curl/curl.h>

typedef size_t (*martlet_curl_bytes)(char *bytes, size_t size, size_t count, void *context);

static inline CURLcode martlet_curl_set_number(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode martlet_curl_set_large(CURL *handle, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode martlet_curl_set_pointer(CURL *handle, CURLoption option, const void *value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode martlet_curl_set_text(CURL *handle, CURLoption option, const char *value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode martlet_curl_set_callback(CURL *handle, CURLoption option, martlet_curl_bytes value) {
    return curl_easy_setopt(handle, option, value);
}

static inline long martlet_curl_status(CURL *handle) {
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static inline void *martlet_curl_private(CURL *handle) {
    char *value = 0;
    curl_easy_getinfo(handle, CURLINFO_PRIVATE, &value);
    return value;
}

static inline CURLMcode martlet_curl_set_multi(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}

static inline CURLcode martlet_curl_message_result(const CURLMsg *message) { return message->data.result; }

static inline void martlet_curl_start(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }
