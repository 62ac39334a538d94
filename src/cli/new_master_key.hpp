#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "base/secret.hpp"

namespace posthorn::cli {

inline constexpr std::string_view old_key_name = "secrets/master-key.old";

// The key that a re-keying goes to. With a data directory it is on disk, beside the old one, before anything
// is sealed with it: an interrupted run finds it there again. Otherwise whoever gave it keeps it.
class NewMasterKey {
public:
    // `text`: base64 or hex; empty: the data directory's unfinished one, or a generated one. Throws
    // CommandFailed where there is none, or it is no key, or another than the one of an unfinished run.
    NewMasterKey(const std::string& text, std::optional<std::filesystem::path> data_dir);

    const Secret& secret() const { return secret_; }
    // In the data directory it becomes the master key, and the old one is kept as old_key_name.
    void put_in_place() const;

private:
    std::optional<std::filesystem::path> directory_;  // of the key files
    Secret secret_;                                   // 32 bytes
};

}  // namespace posthorn::cli
