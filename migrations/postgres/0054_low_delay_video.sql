-- The address of a show's video with low delay (WHEP), beside that of its HLS playlist.

alter table streams add column whep text;
