// English: the texts of the countries to which a shop delivers, for a buyer whose address is elsewhere.

export default {
  'address.elsewhere': 'Your saved address is in {country}, so we didn’t fill it in.',
  'address.delivers_to': 'This shop delivers to: {countries}.',
  'address.delivers_to_many': {
    one: 'This shop delivers to {n} country: choose it from the list.',
    other: 'This shop delivers to {n} countries: choose yours from the list.',
  },
  'error.country_not_served': 'This shop doesn’t deliver to this country. You weren’t charged.',
};
