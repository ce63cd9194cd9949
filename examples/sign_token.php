<?php
// Signs a viewer's token for Livesouk. Run on your server, never in a browser: the key signs for every user.
//   LIVESOUK_AUTH_KEY=… php sign_token.php CUSTOMER_ID NAME

function encode(string $data): string
{
    return rtrim(strtr(base64_encode($data), '+/', '-_'), '=');
}

function sign_token($customerId, string $name, string $key, int $lifetimeS = 6 * 3600): string
{
    $now = time();
    preg_match('/^.{0,40}/us', $name, $first); // at most 40 characters, without the mbstring extension
    $claims = [
        'sub' => (string) $customerId, // an id may be a number in your database; the claim is a string
        'name' => $first[0],
        'role' => 'viewer',
        'iat' => $now,
        'exp' => $now + $lifetimeS,
    ];
    $content = encode(json_encode(['alg' => 'HS256', 'typ' => 'JWT'])) . '.' . encode(json_encode($claims));
    return $content . '.' . encode(hash_hmac('sha256', $content, $key, true));
}

$key = getenv('LIVESOUK_AUTH_KEY');
if ($argc !== 3 || $key === false) {
    fwrite(STDERR, "usage: LIVESOUK_AUTH_KEY=… php sign_token.php CUSTOMER_ID NAME\n");
    exit(2);
}
echo sign_token($argv[1], $argv[2], $key), "\n";
