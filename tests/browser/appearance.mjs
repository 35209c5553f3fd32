// What a tab looks like to whoever reads it: contrast, width, labels. The functions that are handed
// to `evaluate` run on the page and can use nothing of this file.

/** Least contrast of text and background: WCAG 2.2, criterion 1.4.3, level AA. */
export const CONTRAST_MIN = 4.5;

/**
 * @param {import('playwright-core').Page} page
 * @returns {Promise<{ text: string, contrast: number }[]>} every text in view that is on the page,
 *   with its contrast to what is behind it; what cannot be used just now is exempt
 */
export const contrasts = (page) =>
  page.evaluate(() => {
    const pen = document.createElement('canvas').getContext('2d', { willReadFrequently: true });

    /** Any CSS colour as red, green, blue and alpha, each from 0 to 1. */
    function channels(color) {
      pen.clearRect(0, 0, 1, 1);
      pen.fillStyle = color;
      pen.fillRect(0, 0, 1, 1);
      return [...pen.getImageData(0, 0, 1, 1).data].map((value) => value / 255);
    }

    const over = ([r, g, b, alpha], below) =>
      [r, g, b].map((value, at) => value * alpha + below[at] * (1 - alpha));

    function lineage(element) {
      const found = [];
      for (let at = element; at; at = at.parentElement) found.unshift(at);
      return found;
    }

    function ground(element) {
      const isDark = matchMedia('(prefers-color-scheme: dark)').matches;
      return lineage(element).reduce(
        (below, at) => over(channels(getComputedStyle(at).backgroundColor), below),
        isDark ? [0, 0, 0] : [1, 1, 1],
      );
    }

    function luminance(color) {
      const [r, g, b] = color.map((value) =>
        value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    }

    function contrast(element) {
      const behind = ground(element);
      const { color, fill } = getComputedStyle(element);
      const ink = channels(element instanceof SVGElement ? fill : color);
      const opacity = lineage(element).reduce((all, at) => all * getComputedStyle(at).opacity, 1);
      const shades = [over([ink[0], ink[1], ink[2], ink[3] * opacity], behind), behind];
      const [light, dark] = shades.map(luminance).sort((a, b) => b - a);
      return (light + 0.05) / (dark + 0.05);
    }

    function ownText(element) {
      if (element.matches('select')) return element.selectedOptions[0]?.text ?? '';
      // What is ticked has a value that nobody sees.
      if (element.matches('[type=checkbox], [type=radio]')) return '';
      if (element.matches('input, textarea')) return element.value;
      return [...element.childNodes].map((node) => (node.nodeType === 3 ? node.data : '')).join('');
    }

    return [...document.body.querySelectorAll('*')]
      .filter((element) => element.checkVisibility() && !element.matches('option, :disabled'))
      .map((element) => ({ element, text: ownText(element).trim() }))
      .filter(({ text }) => text !== '')
      .map(({ element, text }) => ({
        text: `${element.localName}: ${text.slice(0, 40)}`,
        contrast: Number(contrast(element).toFixed(2)),
      }));
  });

/**
 * @param {import('playwright-core').Page} page
 * @returns {Promise<string[]>} what sticks out on the right of a page that scrolls sideways; none
 *   where it does not
 */
export const overflowing = (page) =>
  page.evaluate(() => {
    const { scrollWidth } = document.scrollingElement;
    if (scrollWidth <= innerWidth) return [];
    return [`${scrollWidth} px of ${innerWidth}`].concat(
      [...document.body.querySelectorAll('*')]
        .filter((element) => element.getBoundingClientRect().right > innerWidth)
        .map((element) => element.outerHTML.slice(0, 100)),
    );
  });

/**
 * @param {import('playwright-core').Page} page
 * @returns {Promise<string[]>} the inputs, buttons and links that have no name to be called by
 */
export const nameless = (page) =>
  page.evaluate(() => {
    const named = (id) => document.getElementById(id)?.textContent ?? '';
    function nameOf(element) {
      const label = [...(element.labels ?? [])].map((found) => found.textContent).join(' ');
      const by = (element.getAttribute('aria-labelledby') ?? '').split(' ').map(named).join(' ');
      const isField = element.matches('input, select, textarea, progress');
      const own = isField ? '' : element.textContent;
      return label + by + (element.getAttribute('aria-label') ?? '') + own;
    }
    return [...document.querySelectorAll('input, select, textarea, progress, button, a, summary')]
      .filter((element) => nameOf(element).trim() === '')
      .map((element) => element.outerHTML);
  });
