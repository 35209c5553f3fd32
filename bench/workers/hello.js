// A Worker that answers by itself: what the platform can do at most.

export default {
  async fetch() {
    return new Response('hello');
  },
};
