#pragma once
#include <curl/curl.h>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace posthorn::egress {

// A curl_slist whose lines and nodes lie in two blocks of memory that are used again and again.
class LineList {
public:
    void clear() {
        text_.clear();
        starts_.clear();
    }
    void add(std::initializer_list<std::string_view> parts) {  // one line
        starts_.push_back(text_.size());
        for (const auto part : parts) text_ += part;
        text_ += '\0';
    }
    // Ours, then tail's. Valid until the next call of clear or add.
    curl_slist* link(curl_slist* tail) {
        nodes_.resize(starts_.size());
        for (std::size_t i = 0; i < nodes_.size(); ++i)
            nodes_[i] = {text_.data() + starts_[i], i + 1 < nodes_.size() ? &nodes_[i + 1] : tail};
        return nodes_.empty() ? tail : nodes_.data();
    }

private:
    std::string text_;
    std::vector<std::size_t> starts_;
    std::vector<curl_slist> nodes_;
};

}  // namespace posthorn::egress
