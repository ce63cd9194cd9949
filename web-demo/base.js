// Where the shop is on its host. A shop of its own is at `/`; one that is a part of another site is below the path of
// `--base-url`, and so is this file.

const place = /^(.*)\/assets\/(?:v-[0-9a-f]{12}\/)?base\.js$/.exec(new URL(import.meta.url).pathname);

/** The path of the shop, such as `/live`; empty for a shop of its own. */
export const basePath = place ? place[1] : '';

/**
 * The address of a page, a picture or an API route of this shop, for links and requests.
 * @param {string} path such as `/orders`
 */
export const route = (path) => basePath + path;

/** The address of the shop as this browser sees it, such as `https://shop.example/live`. */
export const shopAddress = () => location.origin + basePath;
