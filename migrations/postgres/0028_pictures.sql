-- Pictures that the team uploaded, and the galleries of products. The files are in the storage of pictures, not here.

create table pictures (
  hash text primary key check (length(hash) = 64),   -- SHA-256 of the uploaded file
  width bigint not null,
  height bigint not null,
  bytes bigint not null,
  uploaded_at bigint not null,
  unnamed_since bigint,                       -- nothing names it since then; null: something did at the last look
  looked_at bigint not null,
  condemned_at bigint                         -- it is being deleted
);
create index pictures_to_look_at on pictures (looked_at);
create index pictures_condemned on pictures (condemned_at) where condemned_at is not null;
create index pictures_unnamed on pictures (unnamed_since) where unnamed_since is not null;

create table product_pictures (
  product uuid not null references products (id),
  position bigint not null,
  address text not null,
  alt text,
  -- What stays in sight when the picture is cropped, in thousandths of its sides.
  focus_x bigint check (focus_x between 0 and 1000),
  focus_y bigint check (focus_y between 0 and 1000),
  primary key (product, position)
);

-- Which product, gallery or show names a picture: the 64 digits behind `/pictures/` in its address.
create index products_of_picture on products (substr(image, strpos(image, '/pictures/') + 10, 64));
create index galleries_of_picture on product_pictures (substr(address, strpos(address, '/pictures/') + 10, 64));
create index streams_of_picture on streams (substr(poster, strpos(poster, '/pictures/') + 10, 64));

create view readable_pictures as
  select *, to_timestamp(uploaded_at / 1000.0) as uploaded, to_timestamp(unnamed_since / 1000.0) as unnamed
  from pictures;
