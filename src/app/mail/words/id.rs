//! The texts of the mails in Indonesian.

use super::Words;

pub const WORDS: Words = Words {
    greeting: "Halo {name},",
    code_subject: "Kode masuk Anda untuk {shop}",
    code_intro: "Ketik kode ini di halaman tempat Anda memintanya:",
    code_valid: "Kode berlaku sampai {time} dan hanya dapat dipakai sekali, di peramban yang memintanya.",
    code_ignore: "Jika Anda tidak meminta kode, abaikan pesan ini. Tanpa kode ini tidak ada yang dapat masuk.",
    confirmed_subject: "{shop}: pesanan Anda dikonfirmasi",
    confirmed_intro: "Terima kasih atas pesanan Anda. Pembayaran Anda sudah kami terima.",
    sent_subject: "{shop}: pesanan Anda sedang dikirim",
    sent_intro: "Pesanan Anda sudah kami kirim.",
    refunded_subject: "{shop}: dana pesanan Anda dikembalikan",
    refunded_intro: "Dana pesanan Anda sudah kami kembalikan. Mungkin perlu beberapa hari sampai dana terlihat di \
        bank Anda.",
    withdrawal_subject: "{shop}: pembatalan pembelian Anda kami terima",
    withdrawal_intro: "Pembatalan pembelian Anda kami terima pada {time}. Kami akan memberi tahu Anda saat dana \
        dikembalikan.",
    invite_subject: "{by} mengundang Anda ke tim {shop}",
    invite_intro: "{by} mengundang Anda ke tim {shop}. Peran Anda: {role}.",
    invite_link: "Terima undangan",
    invite_valid: "Tautan berlaku sekali, sampai {time}. Tautan ini hanya untuk Anda, jadi jangan diteruskan.",
    test_subject: "{shop}: pesan percobaan",
    test_intro: "Ini pesan percobaan. {shop} dapat mengirim email.",
    order_number: "Nomor pesanan",
    product: "Produk",
    quantity: "Jumlah",
    total: "Total",
    amount_refunded: "Dana dikembalikan",
    paid_at: "Dibayar",
    sent_at: "Dikirim",
    deliver_to: "Alamat pengiriman",
    carrier: "Kurir",
    tracking: "Nomor resi",
    my_orders: "Lihat pesanan saya",
    this_order: "Lihat pesanan ini",
    footer: "{shop} mengirim pesan ini secara otomatis.",
    roles: &[
        ("owner", "Pemilik"),
        ("admin", "Admin"),
        ("host", "Host"),
        ("producer", "Produser"),
        ("moderator", "Moderator"),
        ("analyst", "Analis"),
    ],
};
