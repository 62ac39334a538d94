<?php
// Receives webhooks: WEBHOOK_SECRET=whsec_... php receiver.php PORT; or as a page of any web server.
const TOLERANCE_SECONDS = 5 * 60;

function is_genuine(string $key, string $body): bool
{
    $id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
    $timestamp = $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
    $signatures = $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '';
    if ($id === '' || !preg_match('/^[0-9]{1,12}$/D', $timestamp)) {
        return false;
    }
    if (abs(time() - (int) $timestamp) > TOLERANCE_SECONDS) {
        return false;
    }
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    // While a secret is rotated there are several signatures: one that matches is enough.
    foreach (explode(' ', $signatures) as $given) {
        if (hash_equals($expected, $given)) {
            return true;
        }
    }
    return false;
}

if (PHP_SAPI === 'cli') { // becomes PHP's own web server, which runs this file for each request
    pcntl_exec(PHP_BINARY, ['-S', "127.0.0.1:$argv[1]", __FILE__]);
}

$key = base64_decode(preg_replace('/^whsec_/', '', (string) getenv('WEBHOOK_SECRET')), true);
if ($key === false || strlen($key) < 24) {
    http_response_code(500); // an error of ours: the sender tries again
    exit('WEBHOOK_SECRET is not whsec_ and base64');
}
$body = file_get_contents('php://input'); // the bytes as they came: parsed JSON could not be verified any more
if (!is_genuine($key, $body)) {
    http_response_code(400);
    exit;
}
// Here: store webhook-id and body, unless the id is there already; work on it after the answer.
http_response_code(204);
